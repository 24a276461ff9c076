//! A line of the list: what the plugin does, and what must come of it.

/// What one step of a runbook attacks with.
#[derive(Clone)]
pub struct Attack {
    pub row: u8,
    pub what: &'static str,
    uses: &'static str,
    with: String,
    grant: String,
    timeout: &'static str,
    /// What follows the step in the runbook.
    more: &'static str,
    pub verdict: &'static str,
    pub says: Vec<String>,
}

impl Attack {
    /// A check that performs these acts.
    pub fn check(row: u8, what: &'static str, acts: &str) -> Self {
        Self::with(row, what, "hostile/check@1", &format!("acts = [{acts}]"))
    }

    /// A remedy with these parameters.
    pub fn remedy(row: u8, what: &'static str, with: &str) -> Self {
        Self::with(row, what, "hostile/remedy@1", with)
    }

    /// Another plugin, without parameters.
    pub fn plugin(row: u8, what: &'static str, uses: &'static str) -> Self {
        Self::with(row, what, uses, "")
    }

    pub fn with(row: u8, what: &'static str, uses: &'static str, with: &str) -> Self {
        Self {
            row,
            what,
            uses,
            with: with.to_owned(),
            grant: String::new(),
            timeout: "20s",
            more: "",
            verdict: "healthy",
            says: Vec::new(),
        }
    }

    pub fn grant(mut self, grant: &str) -> Self {
        grant.clone_into(&mut self.grant);
        self
    }

    pub fn timeout(mut self, timeout: &'static str) -> Self {
        self.timeout = timeout;
        self
    }

    /// What was applied is undone if it fails.
    pub fn undone(mut self) -> Self {
        self.more = "[[step]]\nid = \"look\"\nuses = \"hostile/check@1\"\n\
                     [healed]\nrerun = \"look\"\nwithin = \"1s\"\notherwise = \"undo\"\n";
        self
    }

    pub fn ends(mut self, verdict: &'static str) -> Self {
        self.verdict = verdict;
        self
    }

    /// A line that the run says, whole.
    pub fn says(mut self, words: &str) -> Self {
        self.says.push(words.to_owned());
        self
    }

    /// The name of its runbook, of which it is the `index`th.
    pub fn name(&self, index: usize) -> String {
        format!("row-{}-{index}", self.row)
    }

    pub fn runbook(&self, index: usize) -> String {
        let Self {
            what,
            uses,
            with,
            grant,
            timeout,
            more,
            ..
        } = self;
        let name = self.name(index);
        let risk = if uses.contains("/remedy") {
            "ask_from = \"never\"\n"
        } else {
            ""
        };
        format!(
            "name = \"{name}\"\nsummary = '''{what}'''\n[targets]\nselect = 'asset=\"steel-1\"'\n[limits]\ncooldown = \"0s\"\nmax_runs = \"none\"\n\
             [[step]]\nid = \"attack\"\nuses = \"{uses}\"\ntimeout = \"{timeout}\"\nwith = {{ {with} }}\ngrant = {{ {grant} }}\n{risk}{more}"
        )
    }
}
