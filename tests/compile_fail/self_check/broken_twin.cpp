// complaint: GCC 12: the corrected twin doesn't compile
// complaint: Clang 16: the corrected twin doesn't compile
// title: Fault
// meaning: None.
// fix: None.
// expect: a reason

static_assert(false, "a reason");
