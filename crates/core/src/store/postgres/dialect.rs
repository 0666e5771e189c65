//! The one SQL text in PostgreSQL's spelling. What it spells alike is most of it.

/// A statement: `?1` is `$1`. No text of the core has a question mark that is not a parameter's.
pub(super) fn statement(text: &str) -> String {
    text.replace('?', "$")
}

/// A script of the schema. Texts are compared byte by byte, as the pages of listings rely on, whatever the database's language;
/// tables are kept as PostgreSQL keeps them.
pub(super) fn script(text: &str) -> String {
    let code: Vec<&str> = text.lines().map(|line| line.split_once("--").map_or(line, |(code, _)| code)).collect();
    code.join("\n").replace(" WITHOUT ROWID", "").replace(" BLOB", " BYTEA").replace(" TEXT", " TEXT COLLATE \"C\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_spelled_anew() {
        assert_eq!(statement("SELECT a FROM t WHERE b = ?1 AND c > ?12"), "SELECT a FROM t WHERE b = $1 AND c > $12");
        let schema = "CREATE TABLE t ( -- it's a BLOB\n  a TEXT NOT NULL, b BLOB, c BIGINT\n) WITHOUT ROWID;\nALTER TABLE t ADD COLUMN d BLOB;";
        let spelled = "CREATE TABLE t ( \n  a TEXT COLLATE \"C\" NOT NULL, b BYTEA, c BIGINT\n);\nALTER TABLE t ADD COLUMN d BYTEA;";
        assert_eq!(script(schema), spelled);
    }
}
