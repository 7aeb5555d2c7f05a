//! How memory is given back to the system.

/// From how many bytes on a piece of memory is the system's again as soon as it is freed: glibc's own default. Left
/// alone, glibc raises it with each larger piece that is freed, up to 32 MiB, and then keeps what one long message needed:
/// a message of 50 MB leaves some 7 MiB more behind (`tests/tests/large.rs`).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const RETURNED_BYTES_MIN: libc::c_int = 128 * 1024;

/// How many arenas glibc may make; left alone, eight for each core. Each keeps what its threads have freed, and most threads here
/// wait most of the time.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS_MAX: libc::c_int = 1;

/// Has long pieces of memory given back at once. To be called before there are other threads.
pub(crate) fn give_back_at_once() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[allow(unsafe_code, reason = "the allocator's settings have no safe interface")]
        // SAFETY: mallopt(3) only stores a number; no other thread runs yet, which could ask for memory meanwhile.
        let taken = unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, RETURNED_BYTES_MIN) & libc::mallopt(libc::M_ARENA_MAX, ARENAS_MAX)
        };
        if taken == 0 {
            tracing::debug!("the allocator takes no settings: long messages leave more memory behind");
        }
    }
}
