//! Tables of cells.
