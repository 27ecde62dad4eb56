//! `office-server --department NAME [--trigger FILE]`: a tool server of an office, on stdio.

use std::io::{Error, Result};
use std::path::PathBuf;

use tests::office::{Department, serve};

fn main() -> Result<()> {
    let (mut department, mut trigger) = (None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| Error::other(format!("`{argument}` needs a value")))?;
        match argument.as_str() {
            "--department" => department = Department::named(&value),
            "--trigger" => trigger = Some(PathBuf::from(value)),
            other => return Err(Error::other(format!("unknown argument `{other}`"))),
        }
    }
    serve(department.ok_or_else(|| Error::other("--department names none"))?, trigger.as_deref())
}
