#pragma once
// IWYU pragma: private, include <tenon/network.hpp>

// Types made from a network's type: with another number of classes, with a frozen trunk or frozen norms, its trunk
// alone, its classifier alone. All of them keep the names of parameters, so weights are copied from one to another by
// name.

#include <tuple>
#include <type_traits>
#include <utility>

#include <tenon/topology/convolution.hpp>
#include <tenon/topology/facts.hpp>
#include <tenon/topology/training_parts.hpp>

namespace tenon {

namespace detail {
/// Concatenates lists of layers.
template <class... A, class... B>
Children<A..., B...> operator+(Children<A...>, Children<B...>);
template <class... Lists>
using Joined = decltype((Children<>{} + ... + Lists{}));

/// A combinator around the layers of a list.
template <template <class...> class Combinator, class List>
struct Wrap;
template <template <class...> class Combinator, class... Layers>
struct Wrap<Combinator, Children<Layers...>> {
    using type = Combinator<Layers...>;
};

/// A layer cut before its last Linear: the front, and the rest with `Classes` features. A layer without a Linear isn't
/// cut.
template <class Layer, int Classes>
struct Cut {
    static constexpr bool found = false;
};
template <int Features, class... Options, int Classes>
struct Cut<Linear<Features, Options...>, Classes> {
    static constexpr bool found = true;
    using Front = Children<>;
    using Back = Linear<Classes, Options...>;
    using Whole = Back;       ///< both
    using WithFrozen = Back;  ///< both, the front frozen
};

/// The index of the last layer that has a Linear; -1 if none has.
template <int Classes, class... Layers>
consteval int last_classifier() {
    int index = 0, last = -1;
    ((last = Cut<Layers, Classes>::found ? index : last, ++index), ...);
    return last;
}

/// A list cut at its last Linear; `WithFrozen` puts all layers before it into one Frozen.
template <int Classes, class Sequence, class... Layers>
struct CutList;
template <int Classes, int... I, class... Layers>
struct CutList<Classes, std::integer_sequence<int, I...>, Layers...> {
    static constexpr int at = last_classifier<Classes, Layers...>();
    template <int Index, class Layer>
    static auto before() -> std::conditional_t<(Index < at), Children<Layer>, Children<>>;
    template <int Index, class Layer>
    static auto after() -> std::conditional_t<(Index > at), Children<Layer>, Children<>>;
    using Before = Joined<decltype(before<I, Layers>())...>;
    using After = Joined<decltype(after<I, Layers>())...>;
    using Layer = Cut<std::tuple_element_t<static_cast<std::size_t>(at), std::tuple<Layers...>>, Classes>;

    using Front = Joined<Before, typename Layer::Front>;
    using Back = Joined<Children<typename Layer::Back>, After>;
    using Whole = Joined<Before, Children<typename Layer::Whole>, After>;
    using FrozenBefore = std::conditional_t<std::is_same_v<Before, Children<>>, Children<>,
                                            Children<typename Wrap<Frozen, Before>::type>>;
    using WithFrozen = Joined<FrozenBefore, Children<typename Layer::WithFrozen>, After>;
};

/// Combinators are cut inside.
template <template <class...> class Combinator, class... Layers, int Classes>
requires(last_classifier<Classes, Layers...>() >= 0) struct Cut<Combinator<Layers...>, Classes> {
    static constexpr bool found = true;
    using List = CutList<Classes, std::make_integer_sequence<int, sizeof...(Layers)>, Layers...>;
    using Front = Children<typename Wrap<Combinator, typename List::Front>::type>;
    using Back = typename Wrap<Combinator, typename List::Back>::type;
    using Whole = typename Wrap<Combinator, typename List::Whole>::type;
    using WithFrozen = typename Wrap<Combinator, typename List::WithFrozen>::type;
};

/// The parts of a network.
template <class In, class... Layers>
Children<In, Layers...> parts_of(const Network<In, Layers...>*);

template <int Classes, class Parts>
struct NetworkParts;
template <int Classes, class In, class... Layers>
struct NetworkParts<Classes, Children<In, Layers...>> {
    static_assert(
        last_classifier<Classes, Layers...>() >= 0,
        "tenon: this network has no Linear that could be replaced; a layer that is a struct of its own, derived "
        "from a combinator, is not looked into");
    using List = CutList<Classes, std::make_integer_sequence<int, sizeof...(Layers)>, Layers...>;
    template <class First, class... Rest>
    static Network<First, Rest...> network(Children<First, Rest...>);
    template <class First, class Other>
    using NetworkOf = decltype(network(Joined<Children<First>, Other>{}));

    using Whole = NetworkOf<In, typename List::Whole>;
    using WithFrozen = NetworkOf<In, typename List::WithFrozen>;
    using WithFrozenNorms = Network<In, FrozenNorms<Layers...>>;
    using Trunk = NetworkOf<In, typename List::Front>;
    template <int Features>
    using Classifier = NetworkOf<Input<Features>, typename List::Back>;
};
template <int Classes, class Net>
using PartsOf = NetworkParts<Classes, decltype(parts_of(static_cast<const Net*>(nullptr)))>;

/// The naming that a network declares, if it declares one.
template <class Net>
struct NamingLike {};
template <class Net>
requires requires { Net::naming; }
struct NamingLike<Net> {
    static constexpr auto naming = Net::naming;
};
}  // namespace detail

/// The network with another number of classes: its last Linear has `Classes` features. The original's weights can be
/// copied except that layer's (Trainer::transfer).
template <int Classes, NetworkType Net>
struct ReplaceHead : detail::PartsOf<Classes, Net>::Whole, detail::NamingLike<Net> {};

/// The network with everything before its last Linear inside Frozen: only the classifier is trained.
template <NetworkType Net>
struct FreezeTrunk : detail::PartsOf<output_shape<Net>.channels, Net>::WithFrozen, detail::NamingLike<Net> {};

/// The network with all batch norms frozen (FrozenNorms): for fine-tuning all of it on little data.
template <NetworkType Net>
struct FreezeNorms : detail::PartsOf<output_shape<Net>.channels, Net>::WithFrozenNorms, detail::NamingLike<Net> {};

/// Everything before the last Linear of a network, as a network: its results are features.
template <NetworkType Net>
struct Trunk : detail::PartsOf<output_shape<Net>.channels, Net>::Trunk {};

/// The last Linear of a network and what follows it, as a network that reads features.
template <NetworkType Net>
struct LinearHead
    : detail::PartsOf<output_shape<Net>.channels, Net>::template Classifier<output_shape<Trunk<Net>>.channels> {};

}  // namespace tenon
