// SPDX-License-Identifier: MIT
// What every benchmark program in Rust begins and ends with: program.hpp, in Rust.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// One run of a benchmark program: `<program> <case> key=value ...`
pub struct Program {
    implementation: &'static str,
    which: String,
    given: BTreeMap<String, i64>,
    known: BTreeSet<String>,
}

impl Program {
    pub fn new(implementation: &'static str) -> Program {
        let mut words = std::env::args().skip(1);
        let which = words.next().unwrap_or_default();
        let mut p = Program { implementation, which, given: BTreeMap::new(), known: BTreeSet::new() };
        if p.which.is_empty() {
            p.fail(2, "usage: <program> <case> key=value ...");
        }
        for word in words {
            match word.split_once('=').map(|(key, text)| (key, text.parse())) {
                Some((key, Ok(value))) => p.given.insert(key.to_string(), value),
                _ => p.fail(2, &format!("{word} is not key=<whole number>")),
            };
        }
        p
    }

    pub fn which(&self) -> &str {
        &self.which
    }

    pub fn count(&mut self, key: &str, otherwise: i64) -> i64 {
        self.known.insert(key.to_string());
        self.given.get(key).copied().unwrap_or(otherwise)
    }

    pub fn unknown_case(&self) -> ! {
        self.fail(2, "no such case here")
    }

    pub fn check(&self, right: bool, otherwise: &str) {
        if !right {
            self.fail(1, otherwise);
        }
    }

    /// Echoes what was given, so that the harness sees that it was this that ran.
    pub fn print(&self, figures: &[(&str, f64)]) {
        let mut line = format!(r#"{{"impl":"{}","case":"{}""#, self.implementation, self.which);
        for (key, value) in &self.given {
            if !self.known.contains(key) {
                self.fail(2, &format!("no parameter {key} in this case"));
            }
            line += &format!(r#","{key}":{value}"#);
        }
        for (name, value) in figures {
            line += &format!(r#","{name}":{value:.4}"#);
        }
        println!("{line}}}");
    }

    fn fail(&self, status: i32, why: &str) -> ! {
        eprintln!("{} {}: {}", self.implementation, self.which, why);
        std::process::exit(status)
    }
}

/// Wall-clock nanoseconds that f takes.
pub fn time_ns(f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_nanos() as f64
}
