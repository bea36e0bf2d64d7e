//! File descriptors: there is one per client.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Room is made for so many at once. It is 128 KiB of the kernel's memory.
const ROOM: u64 = 16 * 1024;

/// Allows as many as the system lets this process have, for many systems begin with 1,024 for the sake of programs that use
/// `select`; and makes room for them. To be called before there is a second thread: while a table that threads share grows, and it
/// does at every power of two, all who connect wait for 10 ms and more.
pub fn prepare() {
    let limit = getrlimit(Resource::Nofile);
    // Not allowed somewhere: then the limit is what it was.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let room = getrlimit(Resource::Nofile).current.map_or(ROOM, |most| most.min(ROOM));
    if let Ok(last) = i32::try_from(room.saturating_sub(1)) {
        // A table that has grown does not shrink when its last descriptor is closed.
        let _ = rustix::io::fcntl_dupfd_cloexec(std::io::stderr(), last);
    }
}
