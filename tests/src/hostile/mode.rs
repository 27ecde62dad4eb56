//! The ways to misbehave.

/// One way to misbehave; every mode marks its tool runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Behaves: answers each call once.
    Count,
    /// Dies in the middle of a call.
    Exit,
    /// Dies at once.
    Dead,
    /// Answers nothing at all.
    Mute,
    /// Answers no call.
    Hang,
    /// Answers a call with bytes without end.
    Flood,
    /// Answers a call one byte a second.
    Drip,
    /// Answers a call under an id that nobody asked about.
    WrongId,
    /// Answers a call with 100 MB.
    Huge,
    /// Changes its tools once the trigger file exists.
    RugPull,
    /// Describes its tools differently each time.
    Shifty,
    /// Offers two tools of one name.
    Collide,
    /// Uses fields, content types and numbers that no library knows.
    Odd,
    /// Returns credentials.
    Credential,
    /// Returns instructions to the model.
    Injection,
    /// Answers a call with something that is not JSON.
    Garbage,
    /// Answers a call with arrays nested 10,000 deep.
    Deep,
    /// Answers a call with a key that is there twice.
    Duplicate,
    /// Answers a call with both a result and an error.
    Both,
    /// Behaves, but writes to stderr without end.
    Loud,
}

impl Mode {
    const ALL: [(&'static str, Self); 20] = [
        ("count", Self::Count),
        ("exit", Self::Exit),
        ("dead", Self::Dead),
        ("mute", Self::Mute),
        ("hang", Self::Hang),
        ("flood", Self::Flood),
        ("drip", Self::Drip),
        ("wrong-id", Self::WrongId),
        ("huge", Self::Huge),
        ("rug-pull", Self::RugPull),
        ("shifty", Self::Shifty),
        ("collide", Self::Collide),
        ("odd", Self::Odd),
        ("credential", Self::Credential),
        ("injection", Self::Injection),
        ("garbage", Self::Garbage),
        ("deep", Self::Deep),
        ("duplicate", Self::Duplicate),
        ("both", Self::Both),
        ("loud", Self::Loud),
    ];

    /// The mode of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, mode)| mode)
    }

    /// The name that `named` takes.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, mode)| *mode == self).map_or("", |(name, _)| name)
    }
}
