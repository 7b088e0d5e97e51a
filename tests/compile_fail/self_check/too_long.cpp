// complaint: GCC 12: 3 lines, expected at most 1
// complaint: Clang 16: 4 lines, expected at most 1
// title: Fault
// meaning: None.
// fix: None.
// expect: a reason
// max-lines: 1

#ifndef TENON_TWIN
static_assert(false, "a reason");
#endif
