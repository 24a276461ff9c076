//! The board as a page.

use super::tasks::{LONGEST_TITLE, Task};

const STYLE: &str = "
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430; background: #f6f7f9 }
h1 { font-size: 1.4rem } h1 small { font-weight: normal; color: #5b6675 }
ul { list-style: none; padding: 0 }
li { display: flex; gap: .75rem; align-items: center; background: #fff; border: 1px solid #dde1e7; border-radius: .4rem; padding: .5rem .75rem; margin: .4rem 0 }
li span { flex: 1 } a { color: inherit; text-decoration: none } a:hover { text-decoration: underline } li.closed span { color: #5b6675; text-decoration: line-through }
form.new { display: flex; gap: .5rem } form.new input { flex: 1; font: inherit; padding: .4rem }
button { font: inherit; padding: .3rem .8rem }
";

/// The whole page; `visitors` is how many others are here too.
pub fn render(tasks: &[Task], visitors: usize) -> String {
    let (open, closed): (Vec<_>, Vec<_>) = tasks.iter().partition(|task| task.open);
    let items: String = open.into_iter().chain(closed).map(item).collect();
    let here = match visitors {
        1 => "1 visitor here".to_owned(),
        several => format!("{several} visitors here"),
    };
    let body = format!(
        "<h1>Task board <small>{here}</small></h1>\n\
         <form class=\"new\" method=\"post\" action=\"/tasks\">\
         <input name=\"title\" aria-label=\"New task\" placeholder=\"New task\" required maxlength=\"{LONGEST_TITLE}\">\
         <button>Add</button></form>\n<ul>\n{items}</ul>"
    );
    document("Task board", &body)
}

/// The page of one task, which people link to.
pub fn render_task(task: &Task) -> String {
    let body = format!(
        "<h1><a href=\"/\">Task board</a> <small>task {}</small></h1>\n<ul>\n{}</ul>",
        task.id,
        item(task)
    );
    document(&format!("Task {}", task.id), &body)
}

fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )
}

fn item(task: &Task) -> String {
    let (id, title) = (task.id, escape(&task.title));
    let link = format!("<span><a href=\"/tasks/{id}\">{title}</a></span>");
    if task.open {
        format!(
            "<li>{link}<form method=\"post\" action=\"/tasks/{id}/close\">\
             <button aria-label=\"Close: {title}\">Close</button></form></li>\n"
        )
    } else {
        format!("<li class=\"closed\">{link}</li>\n")
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_text_and_never_markup() {
        let task = Task {
            id: 1,
            title: "<script>\"&".into(),
            open: true,
            created: 0,
        };
        let page = render(&[task], 1);

        assert!(!page.contains("<script>"), "{page}");
        assert!(page.contains("&lt;script&gt;&quot;&amp;"), "{page}");
    }
}
