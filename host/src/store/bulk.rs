//! Many rows in one statement: each statement wakes the database's thread, and that costs more than a row.

use super::sqlite;
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AssertSqlSafe};

/// How many values one INSERT binds at most, if it has several rows.
const VALUES_PER_INSERT: usize = 200;
/// How many values one query asks for.
pub(super) const VALUES_PER_QUERY: usize = 500;

/// A statement to which values are bound.
pub(super) type Binding<'q> = Query<'q, Any, AnyArguments>;

/// An INSERT for any number of rows.
pub(super) struct Insert {
    /// The table.
    pub(super) table: &'static str,
    /// The columns, in the order in which they are bound.
    pub(super) columns: &'static [&'static str],
    /// What follows the values, such as what to do on a conflict.
    pub(super) end: &'static str,
}

impl Insert {
    /// The statements that insert the rows, in order, for [`run`]. `bind` binds the columns of one.
    pub(super) fn all<'q, R>(
        &self,
        rows: &'q [R],
        bind: impl Fn(Binding<'q>, &'q R) -> Binding<'q>,
    ) -> Vec<Binding<'q>> {
        let statement = |rows: &'q [R]| rows.iter().fold(self.of(rows.len()), &bind);
        rows.chunks(self.rows_max()).map(statement).collect()
    }

    /// The statement for so many rows. One for fewer than the most is not kept: there are many of those.
    pub(super) fn of<'q>(&self, rows: usize) -> Binding<'q> {
        let width = self.columns.len();
        let row = format!("({})", vec![sqlite::NEXT_PLACE; width].join(", "));
        let (table, columns, values) = (self.table, self.columns.join(", "), vec![row; rows].join(", "));
        let insert = format!("INSERT INTO {table} ({columns}) VALUES {values} {}", self.end);
        sqlx::query(AssertSqlSafe(insert)).persistent(rows == 1 || rows == self.rows_max())
    }

    fn rows_max(&self) -> usize {
        (VALUES_PER_INSERT / self.columns.len().max(1)).max(1)
    }
}

/// Runs statements one after the other.
pub(super) async fn run(connection: &mut AnyConnection, statements: Vec<Binding<'_>>) -> sqlx::Result<()> {
    for statement in statements {
        statement.execute(&mut *connection).await?;
    }
    Ok(())
}

/// A query about values, as many as fit. `head` ends before the list, in which the places from `first` on stand.
pub(super) fn about<'q>(head: &str, first: usize, values: usize, end: &str) -> Binding<'q> {
    sqlx::query(AssertSqlSafe(format!("{head} IN ({}) {end}", places(first, values)))).persistent(values == 1)
}

/// The places of that many values, from a number on.
fn places(first: usize, count: usize) -> String {
    let places: Vec<String> = (first..).take(count).map(|place| format!("${place}")).collect();
    places.join(", ")
}
