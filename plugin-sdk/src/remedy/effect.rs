use crate::process::Signal;
use crate::sql::Value;
use crate::subject;

/// One kind of call that an action may make: the host holds `apply` to it, byte for byte.
///
/// The constructors write the subject in the form of its capability (see [`crate::subject`]), allow the call once, and
/// pin the body to what is given, or to the empty one.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// The interface, like `files`.
    pub capability: String,
    /// The function, like `remove`.
    pub operation: String,
    /// What it is done to.
    pub subject: String,
    /// The SHA-256 that the call's body must have, in lower-case hex.
    pub content: Option<String>,
    /// How many such calls; a removed path counts one.
    pub at_most: u32,
}

impl Effect {
    /// Removes a file or an empty directory.
    pub fn remove(root: &str, path: &str) -> Self {
        Self::new("files", "remove", subject::files(root, path), None)
    }

    /// Writes a file with exactly this content.
    pub fn write(root: &str, path: &str, content: &[u8]) -> Self {
        Self::new("files", "write", subject::files(root, path), Some(content))
    }

    /// Runs a command with exactly these arguments and nothing on stdin; see [`Effect::content`].
    pub fn exec<S: AsRef<str>>(profile: &str, args: &[S]) -> Self {
        Self::new("exec", "run", subject::exec(profile, args), Some(b""))
    }

    /// Sends a request without a body; see [`Effect::content`].
    pub fn http(method: &str, origin: &str, path: &str) -> Self {
        Self::new("http", "send", subject::http(method, origin, path), Some(b""))
    }

    /// Signals a process of a profile; say with [`Effect::at_most`] how many.
    pub fn signal(signal: Signal, profile: &str) -> Self {
        Self::new("process", "send", subject::process(signal, profile), None)
    }

    /// Executes a statement with exactly these parameters.
    pub fn execute(database: &str, statement: &str, params: &[Value]) -> Self {
        let content = subject::sql_params(params);
        Self::new(
            "sql",
            "execute",
            subject::sql(database, statement),
            Some(content.as_bytes()),
        )
    }

    /// Pins the body: stdin, or what is sent.
    #[must_use]
    pub fn content(mut self, body: &[u8]) -> Self {
        self.content = Some(subject::content(body));
        self
    }

    /// Leaves the body open. Whoever approves the action then doesn't know what will be sent.
    #[must_use]
    pub fn any_content(mut self) -> Self {
        self.content = None;
        self
    }

    /// Allows so many such calls.
    #[must_use]
    pub fn at_most(mut self, calls: u32) -> Self {
        self.at_most = calls;
        self
    }

    /// Makes the subject a pattern. Prefer literal subjects: they can be read and counted.
    #[must_use]
    pub fn glob(mut self) -> Self {
        self.subject.insert_str(0, "glob:");
        self
    }

    fn new(capability: &str, operation: &str, subject: String, content: Option<&[u8]>) -> Self {
        Self {
            capability: capability.to_owned(),
            operation: operation.to_owned(),
            subject,
            content: content.map(subject::content),
            at_most: 1,
        }
    }
}
