// The one exception type of the library.
#pragma once

#include <stdexcept>
#include <string>

namespace tenon {

/// What every function of the library throws when it is given something it can't use: a file, an option, a span of the
/// wrong size. The text is a sentence that says what was wrong and what was expected; the object the function was
/// called on is as it was before.
class Error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace tenon
