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
    thing
        .texts
        .extend(name.map(|name| text(table, name, Form::ProcessName)));
    thing.texts.extend(user.map(|user| text(table, user, Form::Any)));
}

/// Of a name as it is once it is filled.
pub(super) fn name_fault(name: &str) -> Result<(), String> {
    if name.len() > NAME {
        return Err(format!(
            "the kernel keeps {NAME} bytes of a process's name, so `{name}` is none"
        ));
    }
    Ok(())
}
