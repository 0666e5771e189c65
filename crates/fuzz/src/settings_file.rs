//! `holm.toml`.

use crate::settings::Settings;

/// The configuration file: unknown keys are refused, flags win, and what is kept has its limits.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(settings) = toml::from_str::<Settings>(text) else { return };
    let shown = |s: &Settings| format!("{s:?}");
    assert!(settings.config.is_none() && !settings.json, "flags that a file cannot set");
    assert_eq!(shown(&Settings::default().or(settings.clone())), shown(&settings), "all that the file sets");
    assert_eq!(shown(&settings.clone().or(Settings::default())), shown(&settings), "all that the flags set");
    let flags = Settings { hosts: Some(vec!["flag".into()]), keep_all_hours: Some(0), log: Some("warn".into()), ..Settings::default() };
    let both = flags.or(settings.clone());
    assert!(both.hosts.as_deref() == Some(&["flag".to_owned()]) && both.keep_all_hours == Some(0) && both.log.as_deref() == Some("warn"));
    assert_eq!(
        shown(&Settings { hosts: settings.hosts.clone(), keep_all_hours: settings.keep_all_hours, log: settings.log.clone(), ..both }),
        shown(&settings)
    );
    for unknown in ["no_such_key = 1\n", "config = 'x'\n", "json = true\n"] {
        assert!(toml::from_str::<Settings>(&format!("{unknown}{text}")).is_err(), "{unknown}");
    }
    if let Ok(kept) = settings.retention() {
        assert!([kept.all_hours, kept.daily_days, kept.weekly_days, kept.trash_days].iter().all(|n| (0..=36_525).contains(n)));
    }
    if settings.hosts().is_none() {
        assert!(!settings.listen().ip().is_loopback(), "on a loopback address, a list of names");
    }
}
