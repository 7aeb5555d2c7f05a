//! Passwords, hashed with Argon2id (RFC 9106).

use crate::web::error::Fault;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

/// The shortest password, in characters (NIST SP 800-63B section 3.1.1.2 asks for 15 where there is nothing else; length is what counts).
pub(in crate::web) const CHARACTERS_MIN: usize = 12;
/// The longest, in bytes: hashing must not take without end.
const BYTES_MAX: usize = 1024;

/// The hash of a new password, as a PHC string. Takes some milliseconds and 19 MiB, on a thread of its own.
///
/// # Errors
/// If it is too short or too long.
pub(in crate::web) async fn hash(password: String) -> Result<String, Fault> {
    if password.chars().count() < CHARACTERS_MIN || password.len() > BYTES_MAX {
        return Err(Fault::Refused(format!(
            "A password has at least {CHARACTERS_MIN} characters, and at most {BYTES_MAX} bytes."
        )));
    }
    let hashed = tokio::task::spawn_blocking(move || {
        let mut salt = [0; 16];
        aws_lc_rs::rand::fill(&mut salt).map_err(|_| "the system has no random numbers".to_owned())?;
        let hash = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
        hash.map(|hash| hash.to_string()).map_err(|error| error.to_string())
    });
    hashed.await?.map_err(Fault::Failed)
}

/// Whether a password is the one of that hash. Without a hash it takes as long, so that nobody learns who has a login.
pub(in crate::web) async fn is_right(password: String, hash: Option<String>) -> Result<bool, Fault> {
    let checked = tokio::task::spawn_blocking(move || {
        let Some(hash) = hash else {
            let _ = Argon2::default().hash_password_with_salt(password.as_bytes(), &[0; 16]);
            return false;
        };
        let is_right = |hash: &PasswordHash| Argon2::default().verify_password(password.as_bytes(), hash).is_ok();
        password.len() <= BYTES_MAX && PasswordHash::new(&hash).is_ok_and(|hash| is_right(&hash))
    });
    Ok(checked.await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_is_right() {
        let hashed = hash("correct horse battery".to_owned()).await.unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert!(is_right("correct horse battery".to_owned(), Some(hashed.clone())).await.unwrap());
        assert!(!is_right("correct horse batterz".to_owned(), Some(hashed.clone())).await.unwrap());
        assert!(!is_right(String::new(), Some("no hash".to_owned())).await.unwrap());
        assert!(!is_right("correct horse battery".to_owned(), None).await.unwrap());
        assert_ne!(hash("correct horse battery".to_owned()).await.unwrap(), hashed);
        assert!(hash("too short".to_owned()).await.is_err());
        assert!(hash("x".repeat(BYTES_MAX + 1)).await.is_err());
    }
}
