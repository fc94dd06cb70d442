//! What clients meet when the app fails, and when the gate ends or changes under them.

mod death;
mod garbage;
mod load;
mod silent_ends;
