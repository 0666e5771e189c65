//! Tunes: a few notes of a plucked string, with a title, as a WAVE file.

use super::Dice;

const RATE: u32 = 22_050;
/// A pentatonic scale: whatever comes after whatever sounds well.
const SCALE: [f32; 5] = [1.0, 9.0 / 8.0, 5.0 / 4.0, 3.0 / 2.0, 5.0 / 3.0];
/// Seconds from one note to the next.
const BEAT: f32 = 0.32;

/// What a player shows.
pub struct Tags<'a> {
    pub title: &'a str,
    pub artist: &'a str,
    pub album: &'a str,
    pub track: usize,
    pub year: i32,
}

fn chunk(name: &[u8; 4], bytes: &[u8]) -> Vec<u8> {
    let mut out = [name.as_slice(), &(bytes.len() as u32).to_le_bytes(), bytes].concat();
    out.resize(out.len().next_multiple_of(2), 0);
    out
}

/// The notes of a tune, added up.
fn samples(notes: usize, dice: &mut Dice) -> Vec<i16> {
    let length = ((notes as f32 * BEAT + 2.0) * RATE as f32) as usize;
    let mut sum = vec![0.0_f32; length];
    let root = 110.0 * (1.0 + dice.unit());
    let mut step = 4_i32;
    for note in 0..notes {
        step = (step + [-2, -1, -1, 0, 1, 1, 2][dice.below(7)]).clamp(0, 14);
        let pitch = root * SCALE[(step % 5) as usize] * f32::powi(2.0, step / 5);
        let voices = if note % 4 == 0 { vec![(pitch, 0.30), (root / 2.0, 0.35)] } else { vec![(pitch, 0.30)] };
        for (pitch, loud) in voices {
            let begin = (note as f32 * BEAT * RATE as f32) as usize;
            for (n, sample) in sum[begin..].iter_mut().take(RATE as usize * 2).enumerate() {
                let t = n as f32 / RATE as f32;
                let wave: f32 = (1..5).map(|k| (std::f32::consts::TAU * pitch * k as f32 * t).sin() / (k * k) as f32).sum();
                *sample += loud * wave * (-3.0 * t).exp() * (t * 200.0).min(1.0);
            }
        }
    }
    sum.into_iter().map(|s| (s.tanh() * 30_000.0) as i16).collect()
}

/// A tune of so many notes.
pub fn tune(tags: &Tags<'_>, notes: usize, dice: &mut Dice) -> Vec<u8> {
    let data: Vec<u8> = samples(notes, dice).into_iter().flat_map(i16::to_le_bytes).collect();
    let mut format = vec![1, 0, 1, 0];
    format.extend_from_slice(&RATE.to_le_bytes());
    format.extend_from_slice(&(2 * RATE).to_le_bytes());
    format.extend_from_slice(&[2, 0, 16, 0]);
    let (track, year) = (tags.track.to_string(), tags.year.to_string());
    let told = [(b"INAM", tags.title), (b"IART", tags.artist), (b"IPRD", tags.album), (b"ITRK", &*track), (b"ICRD", &*year)];
    let info: Vec<u8> = told.iter().flat_map(|(name, text)| chunk(name, &[text.as_bytes(), b"\0"].concat())).collect();
    let list = [b"INFO".as_slice(), &info].concat();
    chunk(b"RIFF", &[b"WAVE".as_slice(), &chunk(b"fmt ", &format), &chunk(b"LIST", &list), &chunk(b"data", &data)].concat())
}
