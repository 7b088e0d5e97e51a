// Numbers as text, in the C locale and in one that writes 0.5 as 0,5.
#include <clocale>
#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

#include <doctest/doctest.h>

#include <tenon/core/number_text.hpp>
#include <tenon/engine/training_options.hpp>
#include <tenon/report/svg.hpp>
#include <tenon/train/optimizers/optimizer.hpp>
#include <tenon/train/schedules/schedule.hpp>

namespace {

/// Germany's locale while it exists; CMakeLists.txt has it made.
class CommaLocale {
public:
    CommaLocale() {
        REQUIRE_MESSAGE(std::setlocale(LC_ALL, "de_DE.UTF-8"), "the locale de_DE.UTF-8 is missing; run scripts/setup");
        char text[8];
        std::snprintf(text, sizeof text, "%.1f", 0.5);
        REQUIRE(std::string(text) == "0,5");
    }
    ~CommaLocale() { std::setlocale(LC_ALL, "C"); }
    CommaLocale(const CommaLocale&) = delete;
    CommaLocale& operator=(const CommaLocale&) = delete;
};

/// Each way there is to read a double has to find `expected`, or nothing.
void check_parsed(const std::string& text, std::optional<double> expected) {
    CAPTURE(text);
    CHECK(tenon::detail::parse_by_strtod(text) == expected);
#if defined(__cpp_lib_to_chars)
    CHECK(tenon::detail::parse_by_from_chars<double>(text) == expected);
#endif
    CHECK(tenon::detail::parse_number<double>(text) == expected);
}

void check_doubles() {
    using Limits = std::numeric_limits<double>;
    for (const double number : {0.0, 0.5, -0.1, 1.0 / 3, 1e-300, 123456789.0, Limits::max(), Limits::min(),
                                Limits::denorm_min(), -Limits::max(), Limits::infinity(), -Limits::infinity()})
        check_parsed(tenon::detail::exact_text(number), number);
    CHECK(std::isnan(tenon::detail::parse_by_strtod(tenon::detail::exact_text(Limits::quiet_NaN())).value()));
    CHECK(std::isnan(tenon::detail::parse_number<double>(tenon::detail::exact_text(Limits::quiet_NaN())).value()));
    check_parsed("1e3", 1000);
    check_parsed(".5", 0.5);
    check_parsed("5.", 5);
    for (const char* text :
         {"", " 1", "1 ", "+1", "0x10", "1,5", "1e", "one", "1e999", "-1e999", "1e-999", "1.5.2", "-"})
        check_parsed(text, std::nullopt);
    check_parsed(std::string("1\0", 2), std::nullopt);
}

void check_texts() {
    CHECK(tenon::detail::fixed_text(-0.5) == "-0.500000");
    CHECK(tenon::detail::formatted(", accuracy %.2f %%", 99.5) == ", accuracy 99.50 %");
    CHECK(tenon::detail::formatted(" %3.0f %%", 7) == "   7 %");
    CHECK(tenon::detail::with_decimal_points("decay=0,999 every=1, 2,a ,5 3, 1,25") ==
          "decay=0.999 every=1, 2,a ,5 3, 1.25");
    try {
        tenon::detail::check_smoothing(1.5);
        CHECK(false);
    } catch (const tenon::Error& error) {
        CHECK(error.what() == std::string("label smoothing is a share of the target, 0 to 1, not 1.500000"));
    }
    CHECK(tenon::detail::exact_text(0.1) == "0.10000000000000001");
    CHECK(tenon::detail::exact_text(1e-5) == "1.0000000000000001e-05");
    CHECK(tenon::schedules::constant(0.5).identity() == "constant 0.500000");
    CHECK(tenon::Duration::epochs(1.5).text() == "1.500000 epochs");
    CHECK(tenon::detail::Svg::number(1.25) == "1.25");
}

}  // namespace

TEST_CASE("a number is read from text by either way") { check_doubles(); }

TEST_CASE("a number that files hold is written as printf writes it in the C locale") {
    check_texts();
    for (const double number : {0.1, 1e-5, 1e22, -3.0, 12345.678, 1e300}) {
        char text[400];
        std::snprintf(text, sizeof text, "%.17g", number);
        CHECK(tenon::detail::exact_text(number) == text);
        std::snprintf(text, sizeof text, "%.6f", number);
        CHECK(tenon::detail::number_text(number, std::chars_format::fixed, 6) == text);
    }
}

TEST_CASE("a locale with a decimal comma changes neither") {
    const CommaLocale locale;
    check_doubles();
    check_texts();
}

TEST_CASE("an integer is read whole and in its range") {
    CHECK(tenon::detail::parse_number<int>("-12") == -12);
    CHECK(tenon::detail::parse_number<long>("123456789012") == 123456789012);
    for (const char* text : {"", "1.5", " 1", "+1", "99999999999", "1x"})
        CHECK(tenon::detail::parse_number<int>(text) == std::nullopt);
}
