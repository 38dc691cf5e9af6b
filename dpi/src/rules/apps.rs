//! Applications that rules name: known ones, and up to 256 of their own.

use std::collections::HashMap;

use super::grammar::Declared;
use super::text::Wrong;
use crate::app::{self, AppId, Breed, Category};

/// The first id of an application that rules declare; the others follow in the order of their
/// declarations.
pub const FIRST_CUSTOM: u16 = 4000;
/// Applications that rules may declare at most.
pub const MOST_CUSTOM: u16 = 256;
/// Bytes of a name at most.
pub(super) const APP_BYTES: usize = 32;

/// An application that rules declare.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CustomApp {
    /// From [`FIRST_CUSTOM`] on. It depends on the order of declarations, and on what was declared
    /// before ([`Compiler::remember`](super::Compiler::remember)): only the name lasts.
    pub id: AppId,
    /// As it was written first.
    pub name: Box<str>,
    /// What it is for.
    pub category: Category,
    /// How welcome it is.
    pub breed: Breed,
}

#[derive(Debug, Default)]
pub(super) struct Apps {
    /// By name in lower case.
    known: HashMap<String, AppId>,
    /// By the name in lower case: ids that others should not get.
    remembered: HashMap<String, AppId>,
    pub(super) custom: Vec<CustomApp>,
}

impl Apps {
    /// Keeps the ids of `apps` for the same names, as long as there are others.
    pub(super) fn remember(&mut self, apps: &[CustomApp]) {
        let ids = apps.iter().map(|app| (app.name.to_ascii_lowercase(), app.id));
        self.remembered.extend(ids);
    }

    /// The id of a new application.
    fn id_for(&self, lower: &str) -> Option<AppId> {
        if let Some(id) = self.remembered.get(lower) {
            return Some(*id);
        }
        let ids = || (FIRST_CUSTOM..FIRST_CUSTOM + MOST_CUSTOM).map(AppId);
        let is_used = |id: &AppId| self.custom.iter().any(|app| app.id == *id);
        let is_remembered = |id: &AppId| self.remembered.values().any(|other| other == id);
        let fresh = ids().find(|id| !is_used(id) && !is_remembered(id));
        fresh.or_else(|| ids().find(|id| !is_used(id)))
    }

    /// The application of a line that declares one.
    pub(super) fn declare(&mut self, app: &Declared) -> Result<AppId, Wrong> {
        if let Some(id) = self.find(&app.name) {
            let wrong = if id.0 < FIRST_CUSTOM {
                format!("\"{}\" is an application that Weir knows", app.name)
            } else {
                format!("\"{}\" has been declared already", app.name)
            };
            return Err(Wrong::new(app.column, wrong, "another name, or no such line"));
        }
        self.add(app)
    }

    /// The application that a rule gives.
    pub(super) fn of_rule(&mut self, app: &Declared) -> Result<AppId, Wrong> {
        let says = app.category.is_some() || app.breed.is_some();
        let Some(id) = self.find(&app.name) else {
            if says {
                return self.add(app);
            }
            let expected =
                format!("a known one, or a line such as: app \"{}\" category Cloud", app.name);
            let wrong = format!("no such application, \"{}\"", app.name);
            return Err(Wrong::new(app.column, wrong, expected));
        };
        let same = self.custom(id).is_some_and(|custom| {
            app.category.is_none_or(|category| category == custom.category)
                && app.breed.is_none_or(|breed| breed == custom.breed)
        });
        if says && !same {
            let wrong =
                format!("\"{}\" has a category already, or a breed, and another one", app.name);
            return Err(Wrong::new(app.column, wrong, "the name alone"));
        }
        Ok(id)
    }

    /// The application with this name, declared if there is none.
    pub(super) fn find_or_add(&mut self, app: &Declared) -> Result<AppId, Wrong> {
        self.find(&app.name).map_or_else(|| self.add(app), Ok)
    }

    fn find(&mut self, name: &str) -> Option<AppId> {
        let lower = name.to_ascii_lowercase();
        if let Some(id) = self.known.get(&lower) {
            return Some(*id);
        }
        let id = app::by_name(&lower)?;
        self.known.insert(lower, id);
        Some(id)
    }

    fn add(&mut self, app: &Declared) -> Result<AppId, Wrong> {
        let lower = app.name.to_ascii_lowercase();
        let Some(id) = self.id_for(&lower) else {
            let expected = format!("at most {MOST_CUSTOM}");
            return Err(Wrong::new(app.column, "too many applications", expected));
        };
        // A name whose id had to be given to another is a new one from now on.
        self.remembered.retain(|name, other| *other != id || *name == lower);
        self.known.insert(lower, id);
        self.custom.push(CustomApp {
            id,
            name: app.name.as_str().into(),
            category: app.category.unwrap_or_default(),
            breed: app.breed.unwrap_or_default(),
        });
        Ok(id)
    }

    fn custom(&self, id: AppId) -> Option<&CustomApp> {
        self.custom.iter().find(|app| app.id == id)
    }
}
