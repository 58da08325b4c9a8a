"""Values that worked cases of the compatibility page give and more than one test compares with."""

# Of calls 1 to 12 of a script that seeds the generator of numpy with the number of its call.
RANDOM_MEANS = [
    7.203244934421581,
    0.25926231827891333,
    7.081478226181048,
    5.4723224917572235,
    8.707323061773764,
    3.3197980530117723,
    7.7991879224011464,
    9.68540662820932,
    5.018745921487388,
    0.207519493594015,
    0.19475241487624584,
    7.400496965154048,
]
