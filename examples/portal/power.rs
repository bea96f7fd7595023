//! For `--crash`: the power, which fails at one point of all that a run comes by.

use std::sync::{Arc, Mutex, PoisonError};

use crate::store::StoreError;

/// The power of one Portal. All of a run count the same points.
#[derive(Clone, Default)]
pub struct Power {
    whose: &'static str,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Default)]
struct Plan {
    /// How many points are left. `None`: it never fails.
    left: Option<u32>,
    /// What is going on.
    doing: &'static str,
    failed_at: Option<String>,
}

impl Power {
    pub fn of(&self, whose: &'static str) -> Self {
        Self { whose, plan: self.plan.clone() }
    }

    /// From now on: it fails when so many points have passed.
    pub fn fail_after(&self, points: u32) {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).left = Some(points);
    }

    /// What begins now, for the eyes of people.
    pub fn doing(&self, what: &'static str) {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).doing = what;
    }

    /// Where it failed.
    pub fn failed_at(&self) -> Option<String> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).failed_at.clone()
    }

    /// A point at which it may fail.
    pub fn lasts(&self, point: &str) -> Result<(), StoreError> {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        match plan.left {
            None => Ok(()),
            Some(0) => {
                plan.left = None;
                plan.failed_at = Some(format!("{}: {} {point}", plan.doing, self.whose));
                Err(StoreError::PowerFailed)
            }
            Some(left) => {
                plan.left = Some(left - 1);
                Ok(())
            }
        }
    }
}
