// complaint: the file has no comment `// title
// complaint: the file has no comment `// meaning
// complaint: the file has no comment `// fix
// complaint: the file has no comment `// expect

#ifndef TENON_TWIN
static_assert(false, "a reason");
#endif
