//! `[role.NAME.process.NAME]`

use super::{Form, Thing, allowed, risk, text, texts};
use crate::authored::{At, Table};
use crate::grant::Capability;
use crate::pattern::anchored;
use crate::role::{Processes, Resource};

/// What the kernel keeps of a name (`TASK_COMM_LEN` without its NUL).
const NAME: usize = 15;

pub(super) fn read(table: &Table<'_, '_>, thing: &mut Thing) {
    thing.capability = Capability::Process;
    let name = table.optional::<String>("name");
    let command = table.optional::<String>("command");
    let user = table.optional::<String>("user");
    if name.is_none() && command.is_none() {
        let problem = table.problem(
            "missing-key",
            table.span.clone(),
            "neither `name` nor `command` is given",
        );
        table.say(problem.help("without one of them every process of the machine would be selected"));
    }
    if let Some(name) = name.as_ref().filter(|name| name.get_ref().len() > NAME) {
        let fault = format!("the kernel keeps {NAME} bytes of a process's name, so this is none");
        table.check_value(name, Err(fault), "cut it there, or select by `command`");
    }
    if let Some(command) = &command
        && let Err(why) = anchored(command.get_ref())
    {
        let message = format!("`{}` is no pattern of a command line", command.get_ref());
        table.say(table.problem("bad-pattern", command.span(), message).label(why));
    }
    let own = |text: &Option<At<String>>| text.as_ref().map(|text| text.get_ref().clone());
    thing.resource = Resource::Processes(Processes {
        name: own(&name),
        command: own(&command),
        user: own(&user),
        allow: texts(&allowed(table, Capability::Process)),
        risk: risk(table),
    });
    let filled = name.into_iter().chain(user);
    thing.texts.extend(filled.map(|word| text(table, word, Form::Any)));
}
