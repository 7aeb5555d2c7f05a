//! Who may use the pages and the API, for both.

use super::Site;
use super::access::{Secret, hash};
use super::error::Fault;
use crate::store::Role;

/// The longest name of a user or token, in characters.
const NAME_CHARACTERS_MAX: usize = 60;

/// A name as it is kept.
fn name(typed: &str) -> Result<&str, Fault> {
    let name = typed.trim();
    let fits = !name.is_empty() && name.chars().count() <= NAME_CHARACTERS_MAX && !name.chars().any(char::is_control);
    if fits { Ok(name) } else { Err(Fault::Refused(format!("A name has 1 to {NAME_CHARACTERS_MAX} characters."))) }
}

fn role(word: &str) -> Result<Role, Fault> {
    Role::parse(word).ok_or_else(|| Fault::Refused("The role is admin or viewer.".to_owned()))
}

/// Whether somebody else can still change things without this admin: otherwise nobody could let anybody in.
async fn keep_an_admin(site: &Site, without: &str) -> Result<(), Fault> {
    let users = site.ctx.store.users().await?;
    let mut admins = users.iter().filter(|user| user.role == Role::Admin).map(|user| user.name.as_str());
    if admins.clone().all(|name| name == without) && admins.next().is_some() {
        return Err(Fault::Refused(format!("{without} is the only administrator: make another one first.")));
    }
    Ok(())
}

/// Adds somebody, or gives somebody another password and role; who is there already is logged out everywhere.
pub(super) async fn set(site: &Site, who: &str, as_role: &str, password: &str, by: &str) -> Result<(), Fault> {
    let (name, role) = (name(who)?, role(as_role)?);
    if name == by && role != Role::Admin {
        return Err(Fault::Refused("You cannot take the role of an administrator from yourself.".to_owned()));
    }
    if role != Role::Admin {
        keep_an_admin(site, name).await?;
    }
    let hashed = hash(password.to_owned()).await?;
    site.ctx.store.set_user(name, role, &hashed).await?;
    Ok(site.ctx.store.note(by, "set-user", name, role.name()).await?)
}

/// Takes somebody's access; whether they had any.
pub(super) async fn remove(site: &Site, who: &str, by: &str) -> Result<bool, Fault> {
    let name = name(who)?;
    if name == by {
        return Err(Fault::Refused("You cannot remove yourself.".to_owned()));
    }
    keep_an_admin(site, name).await?;
    let removed = site.ctx.store.remove_user(name).await?;
    if removed {
        site.ctx.store.note(by, "remove-user", name, "").await?;
    }
    Ok(removed)
}

/// Makes a token of the API; it is known to nobody else.
pub(super) async fn add_token(site: &Site, what_for: &str, as_role: &str, by: &str) -> Result<Secret, Fault> {
    let (name, role) = (name(what_for)?, role(as_role)?);
    let secret = Secret::new().map_err(|error| Fault::Failed(error.to_string()))?;
    site.ctx.store.add_api_token(name, role, &secret.digest(), by).await?;
    site.ctx.store.note(by, "make-token", name, role.name()).await?;
    Ok(secret)
}

/// Makes a token worthless; whether there was one.
pub(super) async fn revoke_token(site: &Site, id: i64, by: &str) -> Result<bool, Fault> {
    let revoked = site.ctx.store.remove_api_token(id).await?;
    if revoked {
        site.ctx.store.note(by, "revoke-token", &id.to_string(), "").await?;
    }
    Ok(revoked)
}
