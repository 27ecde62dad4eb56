//! What the redactor promises of live secrets, attacked with encoders that are not its author's; and what it costs.

#[cfg(test)]
mod encoded;
#[cfg(test)]
mod encodings;
#[cfg(test)]
mod harmless;
#[cfg(test)]
mod pace;
