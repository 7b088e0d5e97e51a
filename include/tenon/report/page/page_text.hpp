#pragma once
// IWYU pragma: private, include <tenon/report.hpp>

// The text of a page: its sections and figures.

#include <string>
#include <string_view>

#include <tenon/core/isa.hpp>
#include <tenon/core/number_text.hpp>

namespace tenon::detail {
inline namespace TENON_ISA_NAMESPACE {

/// What a page is written to.
struct PageText {
    std::string text;

    void open(std::string_view heading) { text.append("<section><h2>").append(heading).append("</h2>\n"); }
    void figure(std::string_view svg, std::string_view kind = "") {
        if (!svg.empty()) text.append("<figure").append(kind).append(">").append(svg).append("</figure>\n");
    }
};

/// A share in percent.
inline std::string page_percent(double share, int digits = 1) {
    return number_text(100 * share, std::chars_format::fixed, digits) + " %";
}

}  // namespace TENON_ISA_NAMESPACE
}  // namespace tenon::detail
