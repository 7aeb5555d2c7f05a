//! What a job remembers of its last login.

use super::Way;
use std::sync::{Arc, Mutex, PoisonError};

/// The way to log in that has worked, so that the next login begins with it: before it, others may have been refused,
/// such as CRAM-MD5 where the server cannot check a hash, and servers count that as failed logins. Clones share it.
///
/// It holds for what the server offered then: when it offers something else, the strongest way is first again.
#[derive(Debug, Clone, Default)]
pub struct LoginMemory(Arc<Mutex<Option<Worked>>>);

#[derive(Debug)]
struct Worked {
    way: Way,
    offered: Vec<Way>,
}

impl LoginMemory {
    /// Puts what has worked before all others.
    pub(super) fn sort(&self, ways: &mut [Way], offered: &[Way]) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(worked) = known.as_ref().filter(|worked| worked.offered == offered) else { return };
        // Stable: the others stay in their order.
        ways.sort_by_key(|way| *way != worked.way);
    }

    /// Notes that this has worked; nothing, if none has.
    pub(super) fn note(&self, way: Option<Way>, offered: &[Way]) {
        let worked = way.map(|way| Worked { way, offered: offered.to_vec() });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = worked;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::sasl::Mechanism::{CramMd5, Plain, ScramSha256};

    #[test]
    fn what_has_worked_comes_first_as_long_as_the_same_is_offered() {
        let [scram, cram, plain] = [ScramSha256, CramMd5, Plain].map(Way::Sasl);
        let check = |memory: &LoginMemory, offered: &[Way], expect: &[Way]| {
            let mut ways = offered.to_vec();
            memory.sort(&mut ways, offered);
            assert_eq!(ways, expect);
        };
        let memory = LoginMemory::default();
        check(&memory, &[cram, plain, Way::Command], &[cram, plain, Way::Command]);
        memory.clone().note(Some(plain), &[cram, plain, Way::Command]);
        check(&memory, &[cram, plain, Way::Command], &[plain, cram, Way::Command]);
        check(&memory, &[scram, cram, plain, Way::Command], &[scram, cram, plain, Way::Command]);
        // What others can read now is not among the ways.
        let mut ways = [cram];
        memory.sort(&mut ways, &[cram, plain, Way::Command]);
        assert_eq!(ways, [cram]);
        memory.note(None, &[cram, plain, Way::Command]);
        check(&memory, &[cram, plain, Way::Command], &[cram, plain, Way::Command]);
    }
}
