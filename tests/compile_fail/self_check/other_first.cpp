// complaint: GCC 12: the first error doesn't match
// complaint: Clang 16: the first error doesn't match
// title: Fault
// meaning: None.
// fix: None.
// expect: the second
// errors: 2
// first: the second

#ifndef TENON_TWIN
static_assert(false, "the first");
static_assert(false, "the second");
#endif
