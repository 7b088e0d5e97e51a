// complaint: GCC 12: the wrong network compiles
// complaint: Clang 16: the wrong network compiles
// title: Fault
// meaning: None.
// fix: None.
// expect: error

int correct = 0;
