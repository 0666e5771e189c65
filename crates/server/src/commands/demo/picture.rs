//! Landscapes, painted pixel by pixel: enough like photographs to try pages and programs with.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::Dice;
use super::exif::{Taken, exif};
use crate::settings::Fallible;

pub const WIDTH: u16 = 1_440;
pub const HEIGHT: u16 = 960;
const QUALITY: u8 = 82;

type Rgb = [f32; 3];

/// What a picture shows.
#[derive(Clone, Copy)]
pub enum Scene {
    Hills,
    Sea,
    Town,
    Garden,
}

/// The sky from its top down to the horizon, and the light on everything else.
struct Light {
    top: Rgb,
    horizon: Rgb,
    sun: Rgb,
    /// How bright the ground is.
    ground: f32,
    stars: bool,
}

const NIGHT: Light = Light { top: [8.0, 12.0, 34.0], horizon: [38.0, 48.0, 86.0], sun: [236.0, 236.0, 220.0], ground: 0.16, stars: true };
const DAWN: Light = Light { top: [66.0, 92.0, 152.0], horizon: [250.0, 186.0, 150.0], sun: [255.0, 226.0, 180.0], ground: 0.62, stars: false };
const DAY: Light = Light { top: [58.0, 122.0, 200.0], horizon: [196.0, 222.0, 240.0], sun: [255.0, 250.0, 232.0], ground: 1.0, stars: false };
const DUSK: Light = Light { top: [52.0, 44.0, 98.0], horizon: [248.0, 142.0, 96.0], sun: [255.0, 200.0, 130.0], ground: 0.45, stars: false };

impl Light {
    fn at(hour: u32) -> Light {
        match hour {
            5..=8 => DAWN,
            9..=17 => DAY,
            18..=20 => DUSK,
            _ => NIGHT,
        }
    }
}

fn mix(a: Rgb, b: Rgb, t: f32) -> Rgb {
    let t = t.clamp(0.0, 1.0);
    std::array::from_fn(|n| a[n] + (b[n] - a[n]) * t)
}

/// Smooth noise of one dimension, from -1 to 1: a few waves that do not meet.
struct Waves([(f32, f32, f32); 6]);

impl Waves {
    fn new(dice: &mut Dice) -> Waves {
        let mut scale = 1.0;
        Waves(std::array::from_fn(|_| {
            scale *= 1.9;
            (scale * (0.8 + 0.4 * dice.unit()), std::f32::consts::TAU * dice.unit(), 1.0 / scale)
        }))
    }

    fn at(&self, x: f32) -> f32 {
        self.0.iter().map(|(frequency, phase, height)| (x * frequency + phase).sin() * height).sum()
    }
}

/// A canvas whose places go from 0 to 1 in both directions, the origin at the top on the left.
struct Canvas {
    pixels: Vec<Rgb>,
}

impl Canvas {
    fn paint(&mut self, mut color: impl FnMut(f32, f32) -> Option<Rgb>) {
        let (width, height) = (f32::from(WIDTH), f32::from(HEIGHT));
        for (n, pixel) in self.pixels.iter_mut().enumerate() {
            let (x, y) = (n % usize::from(WIDTH), n / usize::from(WIDTH));
            if let Some(color) = color(x as f32 / width, y as f32 / height) {
                *pixel = color;
            }
        }
    }

    /// A disc that fades to its edge; `radius` in parts of the height.
    fn disc(&mut self, (x, y): (f32, f32), radius: f32, color: Rgb, strength: f32) {
        let (width, height) = (f32::from(WIDTH), f32::from(HEIGHT));
        let span = |center: f32, size: f32, of: f32| ((center - size) * of).max(0.0) as usize..((center + size) * of).clamp(0.0, of) as usize;
        for row in span(y, radius, height) {
            for column in span(x, radius * height / width, width) {
                let (dx, dy) = (column as f32 / height - x * width / height, row as f32 / height - y);
                let distance = (dx * dx + dy * dy).sqrt() / radius;
                if distance < 1.0 {
                    let pixel = &mut self.pixels[row * usize::from(WIDTH) + column];
                    *pixel = mix(*pixel, color, strength * (1.0 - distance * distance).powi(2));
                }
            }
        }
    }
}

/// A photograph as a camera would have left it: JPEG, with the time and place it was taken.
pub fn photograph(scene: Scene, taken: &Taken, dice: &mut Dice) -> Fallible<Vec<u8>> {
    let light = Light::at(taken.hour);
    let mut canvas = Canvas { pixels: vec![[0.0; 3]; usize::from(WIDTH) * usize::from(HEIGHT)] };
    let horizon = 0.48 + 0.16 * dice.unit();
    let sun = sky(&mut canvas, &light, horizon, dice);
    match scene {
        Scene::Hills => hills(&mut canvas, &light, horizon, dice),
        Scene::Sea => sea(&mut canvas, &light, (horizon, sun), dice),
        Scene::Town => town(&mut canvas, &light, horizon, dice),
        Scene::Garden => garden(&mut canvas, &light, horizon, dice),
    }
    // What a sensor adds.
    let bytes: Vec<u8> = canvas.pixels.iter().flat_map(|p| p.map(|c| (c + 5.0 * (dice.unit() - 0.5)).clamp(0.0, 255.0) as u8)).collect();
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, QUALITY);
    encoder.set_sampling_factor(SamplingFactor::R_4_2_0);
    encoder.add_app_segment(1, exif(taken))?;
    encoder.encode(&bytes, WIDTH, HEIGHT, ColorType::Rgb)?;
    Ok(jpeg)
}

/// Answers where the sun stands, from left to right.
fn sky(canvas: &mut Canvas, light: &Light, horizon: f32, dice: &mut Dice) -> f32 {
    let (clouds, drift) = (Waves::new(dice), Waves::new(dice));
    let veil = dice.unit() * 0.5;
    canvas.paint(|x, y| {
        let plain = mix(light.top, light.horizon, (y / horizon).powf(1.4));
        let cloud = (clouds.at(x * 1.6 + y * 5.0) + drift.at(y * 9.0 - x * 0.7) * 0.6).max(0.0);
        Some(mix(plain, light.horizon, cloud * veil))
    });
    if light.stars {
        for _ in 0..220 {
            let (place, size) = ((dice.unit(), dice.unit() * horizon), 0.001 + 0.0016 * dice.unit());
            canvas.disc(place, size, [255.0, 255.0, 245.0], 0.9);
        }
    }
    let sun = (0.15 + 0.7 * dice.unit(), horizon * (0.35 + 0.5 * dice.unit()));
    canvas.disc(sun, 0.42, light.sun, 0.34);
    canvas.disc(sun, 0.05, light.sun, 1.0);
    canvas.disc(sun, 0.05, light.sun, 1.0);
    sun.0
}

/// Ridges one behind the other, the farther the more like the sky.
fn hills(canvas: &mut Canvas, light: &Light, horizon: f32, dice: &mut Dice) {
    let near: Rgb = [[44.0, 84.0, 48.0], [92.0, 88.0, 44.0], [58.0, 74.0, 60.0]][dice.below(3)];
    for ridge in 0..5 {
        let (waves, depth) = (Waves::new(dice), ridge as f32 / 4.0);
        let (base, height) = (horizon + depth * 0.34, 0.10 - depth * 0.03);
        let color = mix(light.horizon, near.map(|c| c * light.ground), 0.25 + 0.75 * depth);
        let grain = Waves::new(dice);
        canvas.paint(|x, y| {
            let top = base - height * waves.at(x * 2.2);
            (y > top).then(|| mix(color, color.map(|c| c * 0.6), (y - top) * 1.6 + 0.12 * grain.at(x * 40.0 + y * 60.0)))
        });
    }
}

fn sea(canvas: &mut Canvas, light: &Light, (horizon, sun): (f32, f32), dice: &mut Dice) {
    let (swell, ripple) = (Waves::new(dice), Waves::new(dice));
    let deep = [18.0, 74.0, 96.0].map(|c: f32| c * light.ground.max(0.3));
    canvas.paint(|x, y| {
        let depth = (y - horizon) / (1.0 - horizon);
        (depth > 0.0).then(|| {
            let wave = swell.at(x * 3.0 + depth * 22.0) * 0.5 + ripple.at(x * 60.0 * (1.2 - depth) + depth * 90.0) * 0.5;
            let water = mix(light.horizon.map(|c| c * 0.8), deep, depth.sqrt() + 0.10 * wave);
            let path = (1.0 - ((x - sun) * (3.4 - 1.8 * depth)).abs()).max(0.0);
            mix(water, light.sun, path * path * (0.25 + 0.5 * wave.max(0.0)))
        })
    });
    if dice.below(2) == 0 {
        let (at, size) = (0.2 + 0.6 * dice.unit(), 0.03 + 0.05 * dice.unit());
        canvas.paint(|x, y| {
            let (dx, up) = ((x - at) * 1.5, horizon + 0.02 - y);
            let hull = (-0.012..0.006).contains(&up) && dx.abs() < size * 0.6 + up;
            let sail = up > 0.006 && up < size * 1.9 && dx > 0.0 && dx < (size * 1.9 - up) * 0.45;
            if sail { Some(mix(light.horizon, [255.0; 3], 0.7)) } else { hull.then_some([60.0, 40.0, 34.0]) }
        });
    }
}

fn town(canvas: &mut Canvas, light: &Light, horizon: f32, dice: &mut Dice) {
    for row in 0..3 {
        let depth = row as f32 / 2.0;
        let mut left = -0.05;
        while left < 1.0 {
            let (width, height) = (0.05 + 0.07 * dice.unit(), (0.10 + 0.22 * dice.unit()) * (0.7 + 0.5 * depth));
            let wall: Rgb = [[168.0, 120.0, 96.0], [150.0, 148.0, 150.0], [186.0, 164.0, 128.0], [112.0, 122.0, 140.0]][dice.below(4)];
            let wall = mix(light.horizon, wall.map(|c| c * light.ground.max(0.28)), 0.4 + 0.6 * depth);
            let (top, windows) = (horizon + 0.06 + 0.14 * depth - height, dice.next());
            canvas.paint(|x, y| {
                let (dx, dy) = (x - left, y - top);
                if !(0.0..width).contains(&dx) || dy < 0.0 {
                    return None;
                }
                let (column, floor) = ((dx / 0.014) as u64, (dy / 0.03) as u64);
                let pane = (0.25..0.75).contains(&(dx / 0.014).fract()) && (0.3..0.75).contains(&(dy / 0.03).fract());
                let lit = (windows >> ((column * 7 + floor * 13) % 61)) & 1 == 1 && light.ground < 0.7;
                Some(if !pane {
                    wall.map(|c| c * (1.0 - 0.25 * dx / width))
                } else if lit {
                    [255.0, 214.0, 138.0]
                } else {
                    wall.map(|c| c * 0.55)
                })
            });
            left += width + 0.004;
        }
    }
    let street = [74.0, 72.0, 76.0].map(|c: f32| c * light.ground.max(0.3));
    let shine = Waves::new(dice);
    canvas.paint(|x, y| (y > horizon + 0.24).then(|| mix(street, light.horizon, 0.25 + 0.12 * shine.at(x * 6.0 + y * 30.0))));
}

/// A meadow, and flowers out of focus before it.
fn garden(canvas: &mut Canvas, light: &Light, horizon: f32, dice: &mut Dice) {
    hills(canvas, light, horizon, dice);
    let grass = [70.0, 128.0, 52.0].map(|c: f32| c * light.ground.max(0.25));
    let blades = Waves::new(dice);
    canvas.paint(|x, y| (y > horizon + 0.14).then(|| grass.map(|c| c * (1.0 + 0.22 * blades.at(x * 120.0 + y * 15.0) - 0.3 * (y - horizon)))));
    let petals: [Rgb; 5] = [[214.0, 62.0, 78.0], [240.0, 186.0, 52.0], [232.0, 232.0, 240.0], [150.0, 92.0, 190.0], [236.0, 120.0, 150.0]];
    let color = petals[dice.below(5)].map(|c| c * light.ground.max(0.35));
    for n in 0..260 {
        let near = (n as f32 / 260.0).powi(2);
        let place = (dice.unit(), horizon + 0.16 + (0.82 - horizon) * near + 0.02 * dice.unit());
        let size = 0.006 + 0.045 * near;
        for petal in 0..6 {
            let angle = std::f32::consts::TAU * (petal as f32 / 6.0 + dice.unit() * 0.05);
            canvas.disc((place.0 + angle.cos() * size * 0.5, place.1 + angle.sin() * size * 0.6), size * 0.6, color, 0.75);
        }
        canvas.disc(place, size * 0.4, [250.0, 214.0, 90.0].map(|c: f32| c * light.ground.max(0.4)), 0.9);
    }
}
