//! Postgres: its parameters, `pg_hba.conf`, `pg_ident.conf`, and the roles and databases of users.

pub mod configuration;
pub mod expression;
pub mod hba;
pub mod hba_address;
pub mod hba_method;
pub mod hba_order;
pub mod hba_password;
pub mod hba_rule;
pub mod hba_text;
pub mod hba_unreached;
mod hba_words;
pub mod ident;
pub mod log_directory;
pub mod logging;
pub mod parameter;
pub mod parameter_name;
pub mod parameter_risk;
pub mod parameter_value;
pub mod parameters;
pub mod resolve;
pub mod users;
