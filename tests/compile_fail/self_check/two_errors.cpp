// complaint: GCC 12: 2 errors, expected 1
// complaint: Clang 16: 2 errors, expected 1
// title: Fault
// meaning: None.
// fix: None.
// expect: first
// expect: second

#ifndef TENON_TWIN
static_assert(false, "first");
static_assert(false, "second");
#endif
