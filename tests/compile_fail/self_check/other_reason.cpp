// complaint: GCC 12: nothing matches `another reason`
// complaint: Clang 16: nothing matches `another reason`
// title: Fault
// meaning: None.
// fix: None.
// expect: static assertion failed
// expect: another reason

#ifndef TENON_TWIN
static_assert(false, "a reason");
#endif
