//! What judging a submission gives: a report, and a page.

use anyhow::Result;
use judge::Report;

use crate::intake::Intake;
use crate::review::review;

/// Where the class's page is, seen from the folder of a submission.
const INDEX_FROM_REVIEW: &str = "../index.html";

/// A report, and the page about it if another process has drawn that already. Only that process knows what happened.
pub struct Judgment {
    pub report: Report,
    page: Option<String>,
}

impl From<Report> for Judgment {
    fn from(report: Report) -> Self {
        Self { report, page: None }
    }
}

impl Judgment {
    /// A report, and the page that was drawn where the submission was judged.
    pub fn with_page(report: Report, page: String) -> Self {
        let page = Some(page);
        Self { report, page }
    }

    /// The page of this submission in the folder of its class.
    ///
    /// # Errors
    /// When the folder of a starter cannot be read.
    pub fn review(&self, intake: &Intake) -> Result<String> {
        match &self.page {
            Some(page) => Ok(page.clone()),
            None => review(&self.report, intake, Some(INDEX_FROM_REVIEW)),
        }
    }
}
