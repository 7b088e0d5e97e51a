# The target tenon_docs: the API reference, made by Doxygen from the headers' comments.

find_package(Doxygen REQUIRED)
set(DOXYGEN_PROJECT_NAME tenon)
set(DOXYGEN_EXTRACT_ALL NO)
set(DOXYGEN_JAVADOC_AUTOBRIEF YES)
set(DOXYGEN_QUIET YES)
set(DOXYGEN_USE_MDFILE_AS_MAINPAGE README.md)
set(DOXYGEN_STRIP_FROM_PATH ${PROJECT_SOURCE_DIR}/include)
set(DOXYGEN_PREDEFINED "TENON_ISA_NAMESPACE=native")
doxygen_add_docs(tenon_docs README.md docs include WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
