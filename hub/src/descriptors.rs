//! File descriptors: the hub needs one per client.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The number of descriptors for which the table is prepared. It then takes 128 KiB of the kernel's memory.
const ROOM: u64 = 16 * 1024;

/// Raises the limit of file descriptors as far as the system allows, because many systems begin with 1,024
/// for the sake of programs that use `select`; and enlarges the kernel's table of descriptors. This has to be
/// called before there is a second thread: while a table that threads share grows, which it does at every
/// power of two, new connections wait for 10 ms and more.
pub fn prepare() {
    let limit = getrlimit(Resource::Nofile);
    // If the system does not allow this, the limit stays as it was.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let room = getrlimit(Resource::Nofile).current.map_or(ROOM, |most| most.min(ROOM));
    if let Ok(last) = i32::try_from(room.saturating_sub(1)) {
        // The table does not shrink when the last descriptor is closed.
        let _ = rustix::io::fcntl_dupfd_cloexec(std::io::stderr(), last);
    }
}
