#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// The one exception type of the library.

#include <stdexcept>
#include <string>

namespace tenon {

/// What every function of the library throws when it is given something it can't use: a file, an option, a span of the
/// wrong size. The text is a sentence that says what was wrong and what was expected; the object that the function was
/// called on is unchanged.
class Error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace tenon
