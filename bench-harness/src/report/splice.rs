//! Puts generated text between two marks of a page that people write.

use std::path::Path;

use anyhow::Result;

use crate::fault::usage;

const BEGIN: &str = "<!-- bench-harness: begin -->";
const END: &str = "<!-- bench-harness: end -->";

/// The page with the text in place of what was between the marks.
///
/// # Errors
/// A usage error when the page does not have the two marks in order.
pub fn splice(page: &str, text: &str, path: &Path) -> Result<String> {
    let between =
        page.split_once(BEGIN).and_then(|(head, rest)| Some((head, rest.split_once(END)?.1)));
    let Some((head, tail)) = between else {
        return usage(format!(
            "{} has no place for it; add the lines {BEGIN} and {END}",
            path.display()
        ));
    };
    Ok(format!("{head}{BEGIN}\n{}\n{END}{tail}", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_what_is_between_the_marks_and_nothing_else() {
        let page = format!("a\n{BEGIN}\nold\n{END}\nz\n");
        let once = splice(&page, "new\n", Path::new("x")).unwrap();
        assert_eq!(once, format!("a\n{BEGIN}\nnew\n{END}\nz\n"));
        assert_eq!(splice(&once, "new\n", Path::new("x")).unwrap(), once);
    }

    #[test]
    fn a_page_without_marks_is_left_alone_with_a_sentence() {
        let error = splice(&format!("{END}{BEGIN}"), "new", Path::new("PAGE")).unwrap_err();
        assert!(error.to_string().starts_with("PAGE has no place for it"));
    }
}
