//! Reading bodies that anybody may send.

use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::BODY_BYTES;
use crate::error::Error;

/// Of all bodies of this process that are being read or worked on. Slow senders share it with
/// the others, but each is cut off in time.
const ROOM_BYTES: usize = 64 << 20;
/// A body that is refused is still read so far: a sender that is cut off while it writes never
/// reads why.
const DISCARDED_BYTES: usize = 64 << 20;

static ROOM: Semaphore = Semaphore::const_new(ROOM_BYTES);

/// A body, and its place in the room.
pub struct Held {
    pub bytes: Vec<u8>,
    place: Option<SemaphorePermit<'static>>,
}

pub async fn read(body: Body) -> Result<Held, Error> {
    read_within(body, BODY_BYTES, &ROOM).await
}

/// Reads to the end without keeping anything, before a refusal.
pub async fn discard(body: Body) {
    // The sender is refused for another reason already.
    let _ = read_within(body, 0, &ROOM).await;
}

async fn read_within(mut body: Body, limit: usize, room: &'static Semaphore) -> Result<Held, Error> {
    let mut held = Held {
        bytes: Vec::new(),
        place: None,
    };
    let mut refusal = None;
    let mut size = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Error::bad_request("the body broke off before its end"))?;
        let Some(data) = frame.data_ref() else { continue };
        size = size.saturating_add(data.len());
        if size > DISCARDED_BYTES {
            break;
        }
        if refusal.is_none() {
            refusal = held.take(data, limit, room).err();
        }
        if refusal.is_some() {
            held.bytes = Vec::new();
            held.place = None;
        }
    }
    refusal.map_or(Ok(held), Err)
}

impl Held {
    fn take(&mut self, data: &[u8], limit: usize, room: &'static Semaphore) -> Result<(), Error> {
        if self.bytes.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        let permits = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let permit = room.try_acquire_many(permits).map_err(|_| busy())?;
        match &mut self.place {
            Some(place) => place.merge(permit),
            None => self.place = Some(permit),
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }
}

fn too_large(limit: usize) -> Error {
    Error::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("a push may have {} MiB; send fewer alerts at a time", limit >> 20),
    )
}

fn busy() -> Error {
    Error::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "more is being pushed than can be taken in at once; send it again",
    )
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, Bytes};
    use axum::response::IntoResponse as _;

    use super::*;

    fn pieces(sizes: &[usize]) -> Body {
        let pieces: Vec<_> = sizes
            .iter()
            .map(|size| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; *size])))
            .collect();
        Body::from_stream(futures::stream::iter(pieces))
    }

    fn room(bytes: usize) -> &'static Semaphore {
        Box::leak(Box::new(Semaphore::new(bytes)))
    }

    fn status(read: Result<Held, Error>) -> u16 {
        read.map_or_else(|error| error.into_response().status().as_u16(), |_| 200)
    }

    #[tokio::test]
    async fn a_body_is_read_in_pieces_and_gives_its_room_back() {
        let room = room(100);
        let held = read_within(pieces(&[30, 30]), 60, room).await.unwrap();
        assert_eq!((held.bytes.len(), room.available_permits()), (60, 40));
        drop(held);
        assert_eq!(room.available_permits(), 100);
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_read_to_its_end_and_refused() {
        let room = room(100);
        assert_eq!(status(read_within(pieces(&[30, 30, 30]), 60, room).await), 413);
        assert_eq!(room.available_permits(), 100);
    }

    #[tokio::test]
    async fn bodies_that_find_no_room_are_to_come_again() {
        let room = room(100);
        let first = read_within(pieces(&[80]), 100, room).await.unwrap();
        assert_eq!(status(read_within(pieces(&[30]), 100, room).await), 503);
        drop(first);
        assert_eq!(status(read_within(pieces(&[30]), 100, room).await), 200);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_refused() {
        let broken = futures::stream::iter([Ok(Bytes::from("[")), Err(std::io::Error::other("gone"))]);
        assert_eq!(status(read_within(Body::from_stream(broken), 60, room(100)).await), 400);
    }
}
