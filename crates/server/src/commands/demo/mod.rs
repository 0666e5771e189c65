//! `holm demo`: a person whose cloud is full of things to look at, all of them made here and each time the same: pictures with
//! times and places, tunes, papers.

mod exif;
mod papers;
mod picture;
mod sound;

use clap::Args;
use holm_auth::password;
use holm_core::{Access, Change, Error, Path, Precondition, Timestamp};
use indicatif::ProgressBar;
use jiff::{Span, Zoned};
use serde_json::json;

use super::Opened;
use crate::settings::Fallible;
use exif::Taken;
use picture::Scene;
use sound::Tags;

#[derive(Args)]
pub struct Demo {
    /// What the person is to be called; nobody may be called so yet
    #[arg(default_value = "demo")]
    person: String,
    /// How many pictures
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pictures: u32,
}

/// Dice that always fall the same (splitmix64).
pub struct Dice(u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to 1.
    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 24) as f32
    }

    pub fn below(&mut self, most: usize) -> usize {
        (self.next() % most as u64) as usize
    }
}

/// A journey, as pictures tell of it: where it was, and what there was to see.
struct Journey {
    folder: &'static str,
    place: (f64, f64),
    scenes: [Scene; 3],
}

const JOURNEYS: [Journey; 6] = [
    Journey { folder: "Coast", place: (54.18, 12.09), scenes: [Scene::Sea, Scene::Sea, Scene::Hills] },
    Journey { folder: "Lisbon", place: (38.71, -9.14), scenes: [Scene::Town, Scene::Sea, Scene::Town] },
    Journey { folder: "Alps", place: (46.62, 8.03), scenes: [Scene::Hills, Scene::Hills, Scene::Garden] },
    Journey { folder: "At home", place: (52.52, 13.40), scenes: [Scene::Garden, Scene::Town, Scene::Garden] },
    Journey { folder: "Scotland", place: (57.48, -4.22), scenes: [Scene::Hills, Scene::Sea, Scene::Hills] },
    Journey { folder: "Kyoto", place: (35.01, 135.77), scenes: [Scene::Garden, Scene::Town, Scene::Garden] },
];
const MODELS: [&str; 3] = ["Pocket 3", "Islet X1", "Phone 7"];
/// Pictures one after the other from one journey.
const EACH: u32 = 10;
/// Notes of a tune: about twenty seconds.
const NOTES: usize = 60;
const ALBUMS: [(&str, &str, i32, &[&str]); 2] = [
    ("The Ferrymen", "Low Tide", 2021, &["Harbour Lights", "Salt on the Window", "Slack Water", "Home by Ten"]),
    ("Mira Holt", "Small Rooms", 2024, &["Kettle", "Third Floor", "Letters I Kept"]),
];

/// Puts things into a person's tree.
struct Filler {
    access: Access,
    progress: ProgressBar,
    files: u64,
    bytes: u64,
}

impl Filler {
    fn folders(&self, path: &Path) -> Fallible<()> {
        for depth in 1..path.names().len() {
            let path = Path::from_names(path.names()[..depth].to_vec())?;
            match self.access.commit_blocking(Change::MakeFolder { path, props: Vec::new() }, Precondition::default()) {
                Ok(_) | Err(Error::Exists(_)) => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    fn put(&mut self, path: &str, bytes: &[u8], modified: Timestamp) -> Fallible<()> {
        let path = Path::parse(path)?;
        self.folders(&path)?;
        let mut writer = self.access.upload(&path, Some(bytes.len() as u64))?;
        writer.write(bytes)?;
        let content = writer.finish()?;
        self.access.commit_blocking(Change::Put { path, content, media_type: None, modified: Some(modified) }, Precondition::default())?;
        self.files += 1;
        self.bytes += bytes.len() as u64;
        self.progress.inc(1);
        Ok(())
    }
}

/// As a holm keeps times.
fn stamp(at: &Zoned) -> Timestamp {
    Timestamp(at.timestamp().as_millisecond())
}

/// So many days and minutes before.
fn before(at: &Zoned, days: u32, minutes: u32) -> Fallible<Zoned> {
    Ok(at.checked_sub(Span::new().days(days).minutes(minutes))?)
}

fn pictures(filler: &mut Filler, many: u32, now: &Zoned, dice: &mut Dice) -> Fallible<()> {
    for n in 0..many {
        let (journey, nth) = ((n / EACH) as usize, n % EACH);
        let Journey { folder, place, scenes } = &JOURNEYS[journey % JOURNEYS.len()];
        // Every third began on this day, some years ago: that is what memories are made of.
        let days = if journey % 3 == 1 { 365 * (1 + journey as u32 / 3) } else { 11 + 73 * journey as u32 };
        let morning = before(now, days, 0)?.with().hour(7).minute(0).build()?;
        let at = morning.checked_add(Span::new().minutes(84 * nth + dice.below(60) as u32))?;
        let scene = scenes[dice.below(scenes.len())];
        let near = |degrees: f64, dice: &mut Dice| degrees + f64::from(dice.unit() - 0.5) / 20.0;
        let place = (nth % 4 != 3).then(|| (near(place.0, dice), near(place.1, dice)));
        let taken = Taken { at: at.strftime("%Y:%m:%d %H:%M:%S").to_string(), hour: at.hour() as u32, place, model: MODELS[journey % MODELS.len()] };
        let path = format!("Photos/{}/{} {folder}/IMG_{:04}.jpg", at.year(), at.strftime("%Y-%m"), 1_000 + n);
        let jpeg = picture::photograph(scene, &taken, dice)?;
        filler.put(&path, &jpeg, stamp(&at))?;
    }
    Ok(())
}

fn tunes(filler: &mut Filler, now: &Zoned, dice: &mut Dice) -> Fallible<()> {
    for (artist, album, year, titles) in ALBUMS {
        for (n, title) in titles.iter().enumerate() {
            let tags = Tags { title, artist, album, track: n + 1, year };
            let wave = sound::tune(&tags, NOTES, dice);
            filler.put(&format!("Music/{artist}/{album}/{:02} {title}.wav", n + 1), &wave, stamp(&before(now, 200 + dice.below(300) as u32, 0)?))?;
        }
    }
    Ok(())
}

impl Demo {
    pub fn run(self, opened: &Opened) -> Fallible<()> {
        let secret = holm_auth::Secret::random(&opened.env);
        opened.host.add_person(&self.person, Some(&password::hash(&opened.env, secret.reveal())?), 0)?;
        let now = jiff::Timestamp::from_millisecond(opened.env.now().0)?.to_zoned(jiff::tz::TimeZone::UTC);
        let mut dice = Dice(7);
        let papers = papers::papers(&mut dice);
        let all = u64::from(self.pictures) + papers.len() as u64 + ALBUMS.iter().map(|a| a.3.len() as u64).sum::<u64>();
        let mut filler = Filler { access: opened.access(&self.person)?, progress: ProgressBar::new(all), files: 0, bytes: 0 };
        for (path, bytes) in papers {
            filler.put(path, &bytes, stamp(&before(&now, dice.below(400) as u32, dice.below(900) as u32)?))?;
        }
        // An earlier version, and something in the trash.
        filler.put("Documents/Ideas.txt", b"books: the one about moss\n", stamp(&before(&now, 1, 30)?))?;
        filler.access.commit_blocking(Change::Remove { path: Path::parse("Documents/rain.py")? }, Precondition::default())?;
        tunes(&mut filler, &now, &mut dice)?;
        pictures(&mut filler, self.pictures, &now, &mut dice)?;
        filler.progress.finish_and_clear();
        let Filler { files, bytes, .. } = filler;
        let text = format!("{files} files, {} MB. Sign in as {} with the password {}", bytes / 1_000_000, self.person, secret.reveal());
        opened.say(text, json!({ "person": self.person, "password": secret.reveal(), "files": files, "bytes": bytes }));
        Ok(())
    }
}
