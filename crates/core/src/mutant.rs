//! Faults built in on purpose, to see that some check finds each of them: `cargo xtask prove mutants` builds all of them
//! at once, with `--cfg mutants`, and chooses one at run time. No other build contains any.

/// Whether the fault called `name` is to be committed: here never, and the compiler leaves it out.
#[cfg(not(mutants))]
#[inline(always)]
pub const fn mutant(_name: &str) -> bool {
    false
}

/// Whether the fault called `name` is to be committed: the one that the environment names.
#[cfg(mutants)]
pub fn mutant(name: &str) -> bool {
    static CHOSEN: std::sync::LazyLock<Option<String>> = std::sync::LazyLock::new(|| std::env::var("HOLM_MUTANT").ok());
    CHOSEN.as_deref() == Some(name)
}
