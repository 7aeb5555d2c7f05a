//! Where memory comes from, and how it is given back to the system: jemalloc, for what is written in C as well.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// What jemalloc reads when the process starts (jemalloc(3), "TUNING"); the variable `MALLOC_CONF` wins over it.
///
/// Two arenas: most threads here wait most of the time, and each arena keeps what its threads have freed. Pieces of 128 KiB and
/// more, such as a long message in hand, have an arena of their own, which gives them back at once: at the hands of whoever frees them, as
/// a thread for that gets behind (up to 5 MiB more at the peak of a message of 50 MB). What else is free goes back when it has
/// been so for a fifth of a second, little by little.
#[allow(unsafe_code, reason = "jemalloc finds its settings by the name of a symbol")]
// SAFETY: no other symbol has this name: it is a weak one of jemalloc, to be defined by the program. It is a pointer to a
// string that ends with a zero, as jemalloc expects, and is never written.
#[unsafe(export_name = "malloc_conf")]
static SETTINGS: &[u8; 88] =
    b"narenas:2,oversize_threshold:131072,dirty_decay_ms:200,muzzy_decay_ms:0,tcache_max:4096\0";
