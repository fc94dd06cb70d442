//! Accounts beside an app that has none: over real sockets, with real uvicorn behind.

mod callers;
mod commands;
mod database;
mod described;
mod logins;
mod needed;
mod pages;
mod providers;
mod site;
mod streams;
