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
    /// From [`FIRST_CUSTOM`] on. It depends on the order of declarations: only the name lasts.
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
    pub(super) custom: Vec<CustomApp>,
}

impl Apps {
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
        let place = u16::try_from(self.custom.len()).ok().filter(|place| *place < MOST_CUSTOM);
        let Some(place) = place else {
            let expected = format!("at most {MOST_CUSTOM}");
            return Err(Wrong::new(app.column, "too many applications", expected));
        };
        let id = AppId(FIRST_CUSTOM + place);
        self.known.insert(app.name.to_ascii_lowercase(), id);
        self.custom.push(CustomApp {
            id,
            name: app.name.as_str().into(),
            category: app.category.unwrap_or_default(),
            breed: app.breed.unwrap_or_default(),
        });
        Ok(id)
    }

    fn custom(&self, id: AppId) -> Option<&CustomApp> {
        self.custom.get(usize::from(id.0.checked_sub(FIRST_CUSTOM)?))
    }
}
