//! Request bodies under a budget of bytes and time (T10).

use std::time::Duration;

use bytes::Bytes;
use holm_core::mutant;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

/// Time spent waiting for a client in which at least [`LEAST`] bytes must come. What the store takes is not counted.
const WINDOW: Duration = Duration::from_secs(30);
/// 1 KiB a second; whoever is slower holds a connection to no purpose.
const LEAST: u64 = 30 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    TooLarge,
    /// The client stopped sending, or trickles.
    TimedOut,
    /// The connection broke, or the body was shorter than announced.
    Broken,
}

/// A body on its way in.
#[derive(Debug)]
pub struct Incoming<B> {
    body: B,
    /// Waited for the client, and bytes that came, since the window began.
    waited: Duration,
    came: u64,
}

impl<B> Incoming<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    pub fn new(body: B) -> Incoming<B> {
        Incoming { body, waited: Duration::ZERO, came: 0 }
    }

    /// The next piece of a body; None at its end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let began = Instant::now();
        let deadline = began + WINDOW.saturating_sub(self.waited);
        loop {
            let frame = timeout_at(deadline, self.body.frame()).await.map_err(|_| BodyError::TimedOut)?;
            match frame {
                None => return Ok(None),
                Some(Err(_)) if mutant("short-body-taken") => return Ok(None),
                Some(Err(_)) => return Err(BodyError::Broken),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        self.count(began.elapsed(), data.len() as u64);
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    fn count(&mut self, waited: Duration, came: u64) {
        self.waited += waited;
        self.came += came;
        if self.came >= LEAST {
            (self.waited, self.came) = (Duration::ZERO, 0);
        }
    }

    /// A whole body of at most `max` bytes.
    pub async fn whole(&mut self, max: usize) -> Result<Vec<u8>, BodyError> {
        let announced = self.body.size_hint().lower();
        if announced > max as u64 {
            return Err(BodyError::TooLarge);
        }
        let mut out = Vec::with_capacity(announced as usize);
        while let Some(data) = self.next().await? {
            if out.len() + data.len() > max {
                return Err(BodyError::TooLarge);
            }
            out.extend_from_slice(&data);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::Frame;
    use tokio::time::{Sleep, sleep};

    use super::*;

    /// `size` bytes every `pause`, `left` times.
    struct Trickle {
        size: usize,
        pause: Duration,
        left: u32,
        wake: Pin<Box<Sleep>>,
    }

    impl http_body::Body for Trickle {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            if self.wake.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.left -= 1;
            self.wake = Box::pin(sleep(self.pause));
            Poll::Ready(Some(Ok(Frame::data(vec![0; self.size].into()))))
        }
    }

    /// Takes a whole body of `left` pieces in time that is held still; answers what came and the seconds it took.
    async fn check(size: usize, millis: u64, left: u32, want: Result<usize, BodyError>, seconds: u64) {
        let pause = Duration::from_millis(millis);
        let began = Instant::now();
        let mut body = Incoming::new(Trickle { size, pause, left, wake: Box::pin(sleep(pause)) });
        assert_eq!(body.whole(10 << 20).await.map(|b| b.len()), want, "{size} bytes every {millis} ms");
        assert_eq!(began.elapsed().as_secs(), seconds, "{size} bytes every {millis} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn t10_a_trickle_is_ended_and_a_slow_line_is_not() {
        check(1, 1_000, 1_000, Err(BodyError::TimedOut), 30).await;
        check(1_000, 1_000, 1_000, Err(BodyError::TimedOut), 30).await;
        check(1, 100_000, 2, Err(BodyError::TimedOut), 30).await;
        check(2_048, 1_000, 1_000, Ok(2_048_000), 1_000).await;
        check(40_000, 29_000, 10, Ok(400_000), 290).await;
        check(10, 1_000, 20, Ok(200), 20).await;
    }

    #[tokio::test(start_paused = true)]
    async fn t10_time_that_this_side_takes_is_not_the_clients() {
        let pause = Duration::from_millis(100);
        let mut body = Incoming::new(Trickle { size: 10, pause, left: 50, wake: Box::pin(sleep(pause)) });
        while let Some(piece) = body.next().await.unwrap() {
            assert_eq!(piece.len(), 10);
            sleep(Duration::from_secs(20)).await;
        }
    }
}
