"""The tiny world: simple, true English sentences about a small closed world.

The embedded masked language model is trained on this text and on nothing else, so all
that it knows can be read here. The page has three parts: tables of facts, templates
that say a fact in several ways, and a small generator that draws from both.

    python -m distilbert_np.training.tiny_world --seed 0 --count 10
"""

import argparse
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


def table(text: str) -> list[tuple[str, ...]]:
    """Rows end at a semicolon or at the end of a line; commas part the cells."""
    rows = [row for row in re.split(r"[;\n]", text) if row.strip()]
    return [tuple(cell.strip() for cell in row.split(",")) for row in rows]


def words(text: str) -> list[str]:
    """The words of a list that needs no commas."""
    return text.split()


def pick(rows: list[tuple[str, ...]], *columns: int) -> list[tuple[str, ...]]:
    """Keep some columns, and of the rows those where none of these cells is '-'."""
    picked = [tuple(row[column] for column in columns) for row in rows]
    return [row for row in picked if "-" not in row]


# --- countries and cities -------------------------------------------------------------

# '-' stands where one word would not be the whole truth: a country on two continents,
# or one where people share several languages. Countries with two capitals are left out.
COUNTRIES = table("""
    France, Paris, Europe, French
    Germany, Berlin, Europe, German
    Italy, Rome, Europe, Italian
    Spain, Madrid, Europe, Spanish
    Portugal, Lisbon, Europe, Portuguese
    England, London, Europe, English
    Scotland, Edinburgh, Europe, English
    Ireland, Dublin, Europe, English
    Austria, Vienna, Europe, German
    Belgium, Brussels, Europe, -
    Poland, Warsaw, Europe, Polish
    Czechia, Prague, Europe, Czech
    Slovakia, Bratislava, Europe, Slovak
    Hungary, Budapest, Europe, Hungarian
    Slovenia, Ljubljana, Europe, Slovene
    Croatia, Zagreb, Europe, Croatian
    Serbia, Belgrade, Europe, Serbian
    Albania, Tirana, Europe, Albanian
    Greece, Athens, Europe, Greek
    Bulgaria, Sofia, Europe, Bulgarian
    Romania, Bucharest, Europe, Romanian
    Ukraine, Kyiv, Europe, Ukrainian
    Lithuania, Vilnius, Europe, Lithuanian
    Latvia, Riga, Europe, Latvian
    Estonia, Tallinn, Europe, Estonian
    Finland, Helsinki, Europe, Finnish
    Sweden, Stockholm, Europe, Swedish
    Norway, Oslo, Europe, Norwegian
    Denmark, Copenhagen, Europe, Danish
    Iceland, Reykjavik, Europe, Icelandic
    Russia, Moscow, -, Russian
    Turkey, Ankara, -, Turkish
    Armenia, Yerevan, -, Armenian
    Japan, Tokyo, Asia, Japanese
    China, Beijing, Asia, Chinese
    South Korea, Seoul, Asia, Korean
    Mongolia, Ulaanbaatar, Asia, Mongolian
    Thailand, Bangkok, Asia, Thai
    Vietnam, Hanoi, Asia, Vietnamese
    Laos, Vientiane, Asia, Lao
    Nepal, Kathmandu, Asia, Nepali
    Bangladesh, Dhaka, Asia, Bengali
    Pakistan, Islamabad, Asia, -
    Afghanistan, Kabul, Asia, -
    Uzbekistan, Tashkent, Asia, Uzbek
    Iran, Tehran, Asia, Persian
    Iraq, Baghdad, Asia, Arabic
    Syria, Damascus, Asia, Arabic
    Lebanon, Beirut, Asia, Arabic
    Jordan, Amman, Asia, Arabic
    Saudi Arabia, Riyadh, Asia, Arabic
    Oman, Muscat, Asia, Arabic
    Qatar, Doha, Asia, -
    Egypt, Cairo, Africa, Arabic
    Libya, Tripoli, Africa, Arabic
    Tunisia, Tunis, Africa, Arabic
    Morocco, Rabat, Africa, Arabic
    Sudan, Khartoum, Africa, Arabic
    Somalia, Mogadishu, Africa, Somali
    Kenya, Nairobi, Africa, Swahili
    Uganda, Kampala, Africa, -
    Rwanda, Kigali, Africa, -
    Zambia, Lusaka, Africa, -
    Zimbabwe, Harare, Africa, -
    Namibia, Windhoek, Africa, -
    Angola, Luanda, Africa, Portuguese
    Mozambique, Maputo, Africa, -
    Madagascar, Antananarivo, Africa, Malagasy
    Ghana, Accra, Africa, -
    Nigeria, Abuja, Africa, -
    Senegal, Dakar, Africa, -
    Mali, Bamako, Africa, -
    Canada, Ottawa, North America, -
    the United States, Washington, North America, English
    Cuba, Havana, North America, Spanish
    Jamaica, Kingston, North America, -
    Nicaragua, Managua, North America, Spanish
    Brazil, Brasilia, South America, Portuguese
    Colombia, Bogota, South America, Spanish
    Venezuela, Caracas, South America, Spanish
    Ecuador, Quito, South America, Spanish
    Peru, Lima, South America, Spanish
    Chile, Santiago, South America, Spanish
    Uruguay, Montevideo, South America, Spanish
    Australia, Canberra, -, English
    New Zealand, Wellington, Oceania, English
    Fiji, Suva, Oceania, -
""")
LANDMARKS = table("""
    the Eiffel Tower, Paris; the Colosseum, Rome; the Acropolis, Athens
    the Kremlin, Moscow; the Brandenburg Gate, Berlin; the Tower of London, London
    the Little Mermaid, Copenhagen; the White House, Washington
    the Charles Bridge, Prague; Tower Bridge, London; the Forbidden City, Beijing
""")
RIVERS = table("""
    the Seine, Paris; the Thames, London; the Nile, Cairo; the Tiber, Rome
    the Danube, Vienna; the Danube, Budapest; the Vistula, Warsaw
    the Liffey, Dublin; the Spree, Berlin; the Tagus, Lisbon
""")

# --- animals --------------------------------------------------------------------------

YOUNG = table("""
    dog, puppy; cat, kitten; cow, calf; horse, foal; sheep, lamb; pig, piglet
    duck, duckling; goose, gosling; swan, cygnet; hen, chick; goat, kid; lion, cub
    tiger, cub; bear, cub; wolf, pup; seal, pup; kangaroo, joey; deer, fawn
    frog, tadpole; owl, owlet; eagle, eaglet; elephant, calf; whale, calf; hare, leveret
    giraffe, calf; donkey, foal; zebra, foal; butterfly, caterpillar
""")
HOMES = table("""
    bee, hive; dog, kennel; horse, stable; pig, sty; bird, nest; rabbit, burrow
    lion, den; spider, web; hen, coop; beaver, lodge; cow, barn; bear, cave
    mouse, hole; sheep, pen; ant, anthill
""")
HABITATS = table("""
    whale, sea; shark, sea; octopus, sea; dolphin, sea; camel, desert; frog, pond
    duck, pond; monkey, jungle; tiger, jungle; deer, forest; wolf, forest
    squirrel, forest; crocodile, river; trout, river; worm, ground; mole, ground
    parrot, jungle
""")
SOUNDS = table("""
    dog, bark; cat, meow; cow, moo; horse, neigh; sheep, bleat; pig, grunt; duck, quack
    lion, roar; wolf, howl; bee, buzz; snake, hiss; owl, hoot; frog, croak; hen, cluck
    mouse, squeak; bird, sing; goose, honk; donkey, bray; elephant, trumpet; dove, coo
    rooster, crow
""")
FOODS = table("""
    cow, grass; sheep, grass; horse, hay; rabbit, carrots; monkey, bananas
    panda, bamboo; squirrel, nuts; bird, seeds; spider, flies; lion, meat; wolf, meat
    tiger, meat; bee, nectar; owl, mice; cat, mice; seal, fish; penguin, fish
    giraffe, leaves; caterpillar, leaves; koala, leaves; dolphin, fish
""")

# --- things ---------------------------------------------------------------------------

COLOURS = table("""
    grass, is, green; the sky, is, blue; snow, is, white; coal, is, black
    blood, is, red; milk, is, white; the sun, is, yellow; chocolate, is, brown
    salt, is, white; sugar, is, white; mud, is, brown; wood, is, brown
    the sea, is, blue; bananas, are, yellow; lemons, are, yellow; tomatoes, are, red
    cherries, are, red; strawberries, are, red; carrots, are, orange
    pumpkins, are, orange; limes, are, green; cucumbers, are, green; peas, are, green
    leaves, are, green; frogs, are, green; elephants, are, grey; mice, are, grey
    flamingos, are, pink; pigs, are, pink; plums, are, purple; ravens, are, black
    swans, are, white; rubies, are, red; emeralds, are, green; sapphires, are, blue
    canaries, are, yellow
""")
QUALITIES = table("""
    ice, is, cold; fire, is, hot; sugar, is, sweet; honey, is, sweet; lemons, are, sour
    feathers, are, light; stones, are, hard; rain, is, wet; the desert, is, dry
    the night, is, dark; elephants, are, big; ants, are, small; giraffes, are, tall
    snails, are, slow; cheetahs, are, fast; pillows, are, soft; knives, are, sharp
    the sun, is, bright; the ocean, is, deep; thunder, is, loud; mountains, are, high
    gold, is, expensive; steel, is, strong; coffee, is, bitter; winter, is, cold
    summer, is, warm; snow, is, cold; needles, are, sharp
    turtles, are, slow; whales, are, big; diamonds, are, hard; rockets, are, fast
""")
COUNTABLE_KINDS = {
    "bird": "robin eagle owl duck swan penguin crow dove parrot raven sparrow goose",
    "fish": "salmon shark trout herring",
    "insect": "ant bee fly beetle butterfly mosquito",
    "reptile": "snake lizard crocodile turtle",
    "mammal": "dog cat horse cow whale bear lion mouse elephant monkey rabbit wolf",
    "fruit": "apple banana pear cherry lemon plum peach strawberry grape mango",
    "vegetable": "carrot potato onion cabbage leek turnip",
    "flower": "rose tulip lily daisy violet",
    "tree": "oak pine birch maple willow",
    "instrument": "violin piano guitar flute trumpet drum",
    "tool": "hammer saw spade axe screwdriver",
    "vehicle": "car bus train bicycle truck",
    "shape": "circle square triangle pentagon hexagon",
}
NAMED_KINDS = {
    "colour": "red blue green yellow black white brown pink purple grey",
    "metal": "iron gold silver copper steel",
    "planet": "Mars Venus Saturn Jupiter Neptune",
    "sport": "tennis football hockey basketball",
    "continent": "Europe Africa Asia",
    "language": "French German Italian Spanish English Japanese Chinese Arabic Russian",
    "country": "France Germany Italy Spain Japan China Egypt Kenya Brazil Peru Canada",
    "city": "Paris Berlin Rome Madrid Tokyo Beijing Cairo Nairobi Lima Ottawa London",
    "day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "month": "January February April June July August October December",
    "season": "spring summer autumn winter",
    "number": "one two three four five six seven eight nine ten",
}
PARTS = table("""
    dog, legs, four; cat, legs, four; horse, legs, four; cow, legs, four
    bird, legs, two; hen, legs, two; spider, legs, eight; ant, legs, six; bee, legs, six
    fly, legs, six; table, legs, four; chair, legs, four; bird, wings, two
    butterfly, wings, four; octopus, arms, eight; triangle, sides, three
    square, sides, four; pentagon, sides, five; hexagon, sides, six; week, days, seven
    year, months, twelve; year, seasons, four; hour, minutes, sixty
    minute, seconds, sixty; bicycle, wheels, two; car, wheels, four
    tricycle, wheels, three; hand, fingers, five; person, eyes, two; person, ears, two
    person, fingers, ten; violin, strings, four; guitar, strings, six
""")
TOOLS = table("""
    hammer, hit, nails; saw, cut, wood; knife, cut, bread; needle, sew, clothes
    broom, sweep, floors; pen, write, letters; brush, paint, pictures; key, open, doors
    spade, dig, holes; axe, chop, trees; ruler, draw, lines; camera, take, photographs
    clock, tell, time; telescope, watch, stars; oven, bake, cakes; kettle, boil, water
    comb, tidy, hair; toothbrush, clean, teeth; spoon, eat, soup; ladder, climb, walls
    rake, gather, leaves; phone, call, friends; bucket, carry, water; net, catch, fish
    lamp, light, rooms; bell, call, people; thermometer, measure, temperature
""")
MATERIALS = table("""
    bread, is, flour; flour, is, wheat; cheese, is, milk; butter, is, milk
    wine, is, grapes; paper, is, wood; glass, is, sand; chocolate, is, cocoa
    jam, is, fruit; windows, are, glass; candles, are, wax; tyres, are, rubber
    coins, are, metal; chips, are, potatoes; books, are, paper; bricks, are, clay
""")
SOURCES = table("""
    milk, comes, cows; wool, comes, sheep; honey, comes, bees; eggs, come, hens
    apples, come, trees; rain, comes, clouds; pizza, comes, Italy; sushi, comes, Japan
    tea, comes, China; kangaroos, come, Australia; pandas, come, China
""")
JOURNEYS = table("""
    train, on, rails; car, on, roads; bus, on, roads; truck, on, roads
    ship, across, the sea; boat, across, the lake; plane, through, the sky
    helicopter, through, the sky; rocket, into, space; submarine, under, water
""")

# --- opposites, order, sums -----------------------------------------------------------

OPPOSITE_QUALITIES = table("""
    hot, cold; big, small; tall, short; fast, slow; happy, sad; young, old; wet, dry
    full, empty; rich, poor; high, low; good, bad; strong, weak; loud, quiet; hard, soft
    clean, dirty; thick, thin; wide, narrow; deep, shallow; rough, smooth; kind, cruel
    light, dark; early, late; open, closed; awake, asleep; safe, dangerous
    cheap, expensive; easy, difficult; black, white; sharp, blunt; sweet, bitter
    true, false
""")
OPPOSITE_WORDS = table("""
    up, down; left, right; day, night; north, south; east, west; first, last; in, out
    near, far; yes, no; always, never; inside, outside; love, hate; begin, end
    win, lose; buy, sell; push, pull; give, take; remember, forget; question, answer
    above, below; before, after; more, less; top, bottom; laugh, cry; friend, enemy
    noise, silence; peace, war; everything, nothing; arrive, leave; summer, winter
    alive, dead
""")
COUPLES = table("""
    mother, father; sister, brother; aunt, uncle; queen, king; daughter, son; girl, boy
    woman, man; grandmother, grandfather; wife, husband; princess, prince
    niece, nephew
""")
DAYS = words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
MONTHS = words("""
    January February March April May June July August September October November
    December
""")
SEASONS = words("spring summer autumn winter")
ORDINALS = words("""
    first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth
""")
NUMBERS = words("""
    zero one two three four five six seven eight nine ten eleven twelve thirteen
    fourteen fifteen sixteen seventeen eighteen nineteen twenty
""")
LETTERS = words("A B C D E F G H I J K L M N O P Q R S T U V W X Y Z")
SEASON_EVENTS = table("""
    snow falls, winter; the leaves fall from the trees, autumn; flowers open, spring
    people swim in the sea, summer; people wear warm coats, winter
    farmers gather apples, autumn; the birds build their nests, spring
    the days are long, summer; the days are short, winter; the weather is hot, summer
    the lake freezes, winter; children make a snowman, winter; lambs are born, spring
""")
DAY_TIMES = table("""
    we eat breakfast, in the, morning; we eat dinner, in the, evening
    the sun rises, in the, morning; the sun sets, in the, evening
    children wake up, in the, morning; the stars shine, at, night
    people sleep, at, night; owls hunt, at, night; we eat lunch, at, noon
""")
HOLIDAYS = table("""
    Christmas, December; New Year's Day, January; Halloween, October
    Valentine's Day, February
""")
NATURE = table("""
    the sun rises in the, east; the sun sets in the, west
    the moon goes around the, earth; the earth goes around the, sun
    water freezes and turns into, ice; ice melts and turns into, water
    birds build nests in, trees; fish swim in, water; birds fly in the, sky
    rain falls from the, clouds; plants need light and, water
    trees have leaves and, roots; where there is smoke there is, fire
    the cat chases the, mouse; the dog chases the, cat; bees make, honey
    spiders spin, webs; cows give us, milk; hens lay, eggs; fish live in, water
    sheep give us, wool; apples grow on, trees; carrots grow in the, ground
""")

# --- people ---------------------------------------------------------------------------

PEOPLE = table("""
    Anna, she, her, her; Emma, she, her, her; Maria, she, her, her; Lucy, she, her, her
    Alice, she, her, her; Julia, she, her, her; Clara, she, her, her
    Sarah, she, her, her
    Tom, he, his, him; Peter, he, his, him; Paul, he, his, him; David, he, his, him
    Jack, he, his, him; Leo, he, his, him; Daniel, he, his, him; Henry, he, his, him
    my mother, she, her, her; my sister, she, her, her; the girl, she, her, her
    the queen, she, her, her; the woman, she, her, her; my aunt, she, her, her
    my father, he, his, him; my brother, he, his, him; the boy, he, his, him
    the king, he, his, him; the man, he, his, him; my uncle, he, his, him
""")
OUTINGS = table("""
    in, kitchen, cook, soup; in, library, read, books; at, bakery, buy, bread
    in, garden, plant, flowers; in, park, play, football; at, cinema, watch, films
    in, restaurant, eat, dinner; at, beach, build, sandcastles
    in, office, write, letters; at, market, buy, vegetables; in, museum, see, paintings
    on, farm, feed, cows; at, school, learn, English; in, bathroom, wash, clothes
    at, theatre, see, plays; in, workshop, repair, bicycles; in, cafe, drink, coffee
    at, harbour, watch, ships; at, airport, watch, planes; in, forest, gather, mushrooms
    at, lake, catch, fish; at, concert, hear, music
""")
FEELINGS = table("""
    tired, goes to, bed; hungry, eats some, bread; thirsty, drinks some, water
    cold, puts on a warm, coat; sick, goes to the, doctor; happy, begins to, laugh
    sad, begins to, cry; late, begins to, run; bored, reads a, book
    dirty, takes a, bath
""")
BELONGINGS = table("key; book; hat; coat; bag; umbrella; pencil; ring; phone; ball")
JOBS = table("""
    baker, bake, bread, bakery; teacher, teach, children, school
    farmer, grow, wheat, farm; doctor, help, patients, hospital
    nurse, help, patients, hospital; cook, make, dinner, kitchen
    librarian, lend, books, library; gardener, plant, flowers, garden
    waiter, serve, food, restaurant; mechanic, repair, cars, garage
    actor, play, roles, theatre; painter, paint, pictures, studio
    judge, judge, crimes, court; scientist, do, experiments, laboratory
    butcher, sell, meat, shop; carpenter, make, furniture, workshop
""")
SENSES = table("""
    see, eyes; hear, ears; smell, nose; taste, tongue; walk, legs; bite, teeth
    think, brain; breathe, lungs; write, hands
""")

# --- how words change -----------------------------------------------------------------

IRREGULAR_PLURALS = {
    "sheep": "sheep", "deer": "deer", "fish": "fish", "salmon": "salmon",
    "trout": "trout", "mouse": "mice", "goose": "geese", "wolf": "wolves",
    "calf": "calves", "knife": "knives", "wife": "wives", "man": "men",
    "woman": "women", "person": "people", "kangaroo": "kangaroos", "piano": "pianos",
}
DOUBLED_LETTER = {"cut", "hit", "dig", "chop"}


def with_article(noun: str) -> str:
    """'an owl', 'a dog'."""
    vowel = noun[0] in "aeiou" or noun == "hour"
    return f"an {noun}" if vowel else f"a {noun}"


def with_s(word: str) -> str:
    """The plural of a noun, or a verb after 'he': 'puppies', 'watches', 'barks'."""
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    hissing = word.endswith(("s", "sh", "ch", "x", "z", "to", "do", "go"))
    return word + ("es" if hissing else "s")


def with_ing(verb: str) -> str:
    """'baking', 'cutting', 'barking'."""
    if verb in DOUBLED_LETTER:
        return verb + verb[-1] + "ing"
    return verb.removesuffix("e") + "ing" if not verb.endswith("ee") else verb + "ing"


def capitalised(text: str) -> str:
    """Raise the first letter and leave all others alone."""
    return text[0].upper() + text[1:]


class Word(str):
    """A word that a template can bend: '{animal:a}', '{animal:many}', '{verb:does}'."""

    def __format__(self, form: str) -> str:
        """Say the word plainly, or in one of five forms."""
        word = str(self)
        forms = {
            "": lambda: word,
            "a": lambda: with_article(word),
            "many": lambda: IRREGULAR_PLURALS.get(word) or with_s(word),
            "does": lambda: with_s(word),
            "doing": lambda: with_ing(word),
            "cap": lambda: capitalised(word),
        }
        return forms[form]()


# --- templates ------------------------------------------------------------------------

@dataclass(frozen=True)
class Topic:
    """Facts of one kind and the ways to say them; the last column is the fact word."""

    columns: str
    rows: list[tuple[str, ...]]
    templates: tuple[str, ...]
    weight: int = 0                     # 0: as many as there are rows

    def say(self, rng: random.Random) -> tuple[str, str]:
        """Draw a fact and a template, and give the text and its fact word."""
        row = [Word(cell) for cell in rng.choice(self.rows)]
        fields = dict(zip(self.columns.split(), row, strict=True))
        return rng.choice(self.templates).format(**fields), row[-1]


def neighbours(kind: str, names: list[str], ring: bool) -> list[tuple[str, ...]]:
    """Rows (kind, one before, one after, name); in a ring the last meets the first."""
    count = len(names)
    places = range(count) if ring else range(1, count - 1)
    return [
        (kind, names[place - 1], names[(place + 1) % count], names[place])
        for place in places
    ]


def kinds(groups: dict[str, str]) -> list[tuple[str, ...]]:
    """Rows (thing, kind) from lists of things under their kind."""
    return [(thing, kind) for kind, things in groups.items() for thing in words(things)]


def trios(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Rows (one, two, three, kind) from rows (thing, kind), neighbours of one kind."""
    threes = zip(rows, rows[1:], rows[2:], strict=False)
    return [
        (one, two, three, kind)
        for (one, kind), (two, _), (three, last_kind) in threes if kind == last_kind
    ]


def both_ways(pairs: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Each pair as it stands and turned round."""
    return pairs + [(second, first) for first, second in pairs]


def only_child(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The rows whose last word no other row has: a cub may be a lion, bear or tiger."""
    lasts = [row[-1] for row in rows]
    return [row for row in rows if lasts.count(row[-1]) == 1]


def people_with(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Every person with every row, for sentences that tell of both."""
    return [person + row for person in PEOPLE for row in rows]


COUNTRY_TOPICS = (
    Topic("country capital", pick(COUNTRIES, 0, 1), (
        "the capital of {country} is {capital}.",
        "the capital city of {country} is {capital}.",
        "{capital} is the capital of {country}.",
        "{capital} is the capital city of {country}.",
        "{country} has a capital called {capital}.",
        "in {country}, the capital is {capital}.",
        "what is the capital of {country}? It is {capital}.",
        "the name of the capital of {country} is {capital}.",
        "{country} is a country, and its capital is {capital}.",
        "if you want to see the capital of {country}, go to {capital}.",
        "of all the cities in {country}, the capital is {capital}.",
        "if you are in the capital of {country}, you are in {capital}.",
        "every child in {country} knows that the capital is {capital}.",
        "have you ever been to {capital}, the capital of {country}?",
        "we want to visit {country} and see its capital, {capital}.",
    ), weight=200),
    Topic("capital country", pick(COUNTRIES, 1, 0), (
        "{capital} is the capital of {country}.",
        "{capital} is a city in {country}.",
        "the city of {capital} is in {country}.",
        "{capital} is in {country}.",
        "where is {capital}? It is in {country}.",
        "when you are in {capital}, you are in {country}.",
    )),
    Topic("country continent", pick(COUNTRIES, 0, 2), (
        "{country} is in {continent}.",
        "{country} is a country in {continent}.",
        "{country} lies in {continent}.",
        "{country} is part of {continent}.",
        "one of the countries in {continent} is {country}.",
        "on which continent is {country}? It is in {continent}.",
    )),
    Topic("capital continent", pick(COUNTRIES, 1, 2), (
        "{capital} is in {continent}.",
        "{capital} is a city in {continent}.",
        "{capital} is one of the capitals in {continent}.",
        "if you travel to {capital}, you travel to {continent}.",
    )),
    Topic("country language", pick(COUNTRIES, 0, 3), (
        "in {country} people speak {language}.",
        "people in {country} speak {language}.",
        "most people in {country} speak {language}.",
        "{language} is spoken in {country}.",
        "the language of {country} is {language}.",
        "what do people speak in {country}? They speak {language}.",
        "if you live in {country}, it is good to speak {language}.",
        "in {country}, children learn to read and write {language}.",
        "my friend comes from {country} and speaks {language}.",
        "{language} is the language that people speak in {country}.",
    ), weight=110),
    Topic("capital language", pick(COUNTRIES, 1, 3), (
        "in {capital} people speak {language}.",
        "people in {capital} speak {language}.",
        "you hear {language} in the streets of {capital}.",
        "what do people speak in {capital}? They speak {language}.",
    )),
    Topic("capital country continent", pick(COUNTRIES, 1, 0, 2), (
        "{capital}, the capital of {country}, is in {continent}.",
        "{country} is in {continent}. Its capital is {capital}.",
        "{country}, whose capital is {capital}, is a country in {continent}.",
    ), weight=40),
    Topic("landmark city", LANDMARKS, (
        "{landmark} is in {city}.",
        "{landmark} stands in {city}.",
        "you can see {landmark} in {city}.",
        "people who visit {city} go to see {landmark}.",
        "where is {landmark}? It is in {city}.",
    ), weight=20),
    Topic("river city", RIVERS, (
        "{river} flows through {city}.",
        "{river} is a river, and it flows through {city}.",
        "boats on {river} pass through {city}.",
        "in {city} there are bridges over {river}.",
    ), weight=20),
)

ANIMAL_TOPICS = (
    Topic("animal young", YOUNG, (
        "a baby {animal} is called {young:a}.",
        "a baby {animal} is {young:a}.",
        "a young {animal} is called {young:a}.",
        "what do we call a baby {animal}? We call it {young:a}.",
        "when it is still a baby, the {animal} is called {young:a}.",
        "the name for the young of the {animal} is {young}.",
    ), weight=50),
    Topic("animal young", only_child(YOUNG), (
        "{young:a} is a baby {animal}.",
        "{young:a} is a young {animal}.",
        "{young:many} are young {animal:many}.",
        "{young:a} grows up to be {animal:a}.",
        "the {young} grows and becomes {animal:a}.",
        "the mother of {young:a} is {animal:a}.",
        "the little {young} will one day be {animal:a}.",
    ), weight=40),
    Topic("animal home", HOMES, (
        "{animal:a} lives in {home:a}.",
        "{animal:many} live in {home:many}.",
        "the home of {animal:a} is called {home:a}.",
        "{home:a} is the home of {animal:a}.",
        "where does {animal:a} live? It lives in {home:a}.",
        "the {animal} sleeps in its {home}.",
        "every evening the {animal} goes home to its {home}.",
        "in the {home} there is {animal:a}.",
    ), weight=50),
    Topic("animal habitat", HABITATS, (
        "{animal:many} live in the {habitat}.",
        "{animal:a} lives in the {habitat}.",
        "you can see {animal:many} in the {habitat}.",
        "the home of the {animal} is the {habitat}.",
        "where do {animal:many} live? They live in the {habitat}.",
    ), weight=25),
    Topic("animal sound", SOUNDS, (
        "{animal:many} {sound}.",
        "the {animal} {sound:does}.",
        "{animal:a} can {sound}.",
        "listen, the {animal} is {sound:doing}!",
        "when it is hungry, the {animal} {sound:does}.",
        "{animal:many} like to {sound}.",
        "what does {animal:a} do? It {sound:does}.",
        "an animal that {sound:does} is {animal:a}.",
    ), weight=45),
    Topic("animal food", FOODS, (
        "{animal:many} eat {food}.",
        "{animal:a} eats {food}.",
        "{animal:a} likes to eat {food}.",
        "the {animal} is looking for {food}.",
        "what do {animal:many} eat? They eat {food}.",
        "the {animal} is hungry, so it eats some {food}.",
    ), weight=50),
)

THING_TOPICS = (
    Topic("thing is colour", COLOURS, (
        "{thing} {is} {colour}.",
        "the colour of {thing} is {colour}.",
        "what colour {is} {thing}? The answer is {colour}.",
        "everyone can see that {thing} {is} {colour}.",
        "to paint {thing}, you take {colour} paint.",
        "her dress is as {colour} as {thing}.",
        "{colour} is the colour of {thing}.",
        "in the picture, {thing} {is} {colour}.",
        "look how {colour} {thing} {is}!",
    ), weight=90),
    Topic("thing is quality", QUALITIES, (
        "{thing} {is} {quality}.",
        "everyone knows how {quality} {thing} {is}.",
        "{thing} {is} very {quality}.",
        "this is as {quality} as {thing}.",
        "why {is} {thing} so {quality}?",
    ), weight=50),
    Topic("thing kind", kinds(COUNTABLE_KINDS), (
        "{thing:a} is {kind:a}.",
        "{thing:many} are {kind:many}.",
        "{thing:a} is a kind of {kind}.",
        "of all the {kind:many}, I like the {thing} best.",
        "the {thing} is {kind:a}.",
        "what is {thing:a}? It is {kind:a}.",
        "{kind:a} that I know is the {thing}.",
    ), weight=70),
    Topic("one two three kind", trios(kinds(COUNTABLE_KINDS)), (
        "{one:many}, {two:many} and {three:many} are {kind:many}.",
        "the {one}, the {two} and the {three} are {kind:many}.",
        "the names of three {kind:many} are {one}, {two} and {three}.",
        "every {one} and every {two} is {kind:a}.",
    ), weight=50),
    Topic("thing kind", kinds(NAMED_KINDS), (
        "{thing} is {kind:a}.",
        "{thing} is the name of {kind:a}.",
        "one {kind} that we all know is {thing}.",
        "what is {thing}? It is {kind:a}.",
        "{kind:a} that I know is {thing}.",
        "my favourite {kind} is {thing}.",
    ), weight=60),
    Topic("owner part number", PARTS, (
        "{owner:a} has {number} {part}.",
        "every {owner} has {number} {part}.",
        "how many {part} does {owner:a} have? It has {number}.",
        "the number of {part} of {owner:a} is {number}.",
        "count the {part} of {owner:a}: there are {number}.",
    ), weight=60),
    Topic("verb object tool", pick(TOOLS, 1, 2, 0), (
        "you use {tool:a} to {verb} {object}.",
        "you {verb} {object} with {tool:a}.",
        "with {tool:a} you can {verb} {object}.",
        "{tool:a} is used to {verb} {object}.",
        "if you want to {verb} {object}, you need {tool:a}.",
        "we cannot {verb} {object} without {tool:a}.",
    ), weight=50),
    Topic("thing is material", MATERIALS, (
        "{thing} {is} made from {material}.",
        "people make {thing} from {material}.",
        "{material} can be used to make {thing}.",
        "what {is} {thing} made from? The answer is {material}.",
        "to make {thing}, you need {material}.",
    ), weight=35),
    Topic("thing comes source", SOURCES, (
        "{thing} {comes} from {source}.",
        "{thing} {comes} to us from {source}.",
        "{thing}, as we know, {comes} from {source}.",
    ), weight=20),
    Topic("vehicle by way", JOURNEYS, (
        "{vehicle:a} travels {by} {way}.",
        "{vehicle:many} travel {by} {way}.",
        "look, there goes {vehicle:a} {by} {way}!",
        "people travel {by} {way} in {vehicle:a}.",
    ), weight=20),
)

WORD_TOPICS = (
    Topic("word opposite", both_ways(OPPOSITE_QUALITIES + OPPOSITE_WORDS), (
        "the opposite of {word} is {opposite}.",
        "{word} is the opposite of {opposite}.",
        "{word} and {opposite} are opposites.",
        "what is the opposite of {word}? It is {opposite}.",
        "the word {word} is the opposite of the word {opposite}.",
        "say the opposite of {word}: {opposite}.",
        "my teacher asks for the opposite of {word}, and I answer {opposite}.",
    ), weight=130),
    Topic("word opposite", both_ways(OPPOSITE_QUALITIES), (
        "this one is {word}, but that one is {opposite}.",
        "it is not {word} but {opposite}.",
        "something {opposite} is not {word}.",
        "something that is {word} is not {opposite}.",
    ), weight=60),
    Topic("one other", both_ways(COUPLES), (
        "here are {one:a} and {other:a}.",
        "the {one} talks to the {other}.",
        "my friend has met the {one} and the {other}.",
        "the {one} is here, but where is the {other}?",
    ), weight=25),
)

ORDER_TOPICS = (
    Topic("kind before after name", [
        *neighbours("day", DAYS, ring=True),
        *neighbours("month", MONTHS, ring=True),
        *neighbours("season", SEASONS, ring=True),
        *neighbours("number", NUMBERS, ring=False),
        *neighbours("letter", LETTERS, ring=False),
    ], (
        "the {kind} after {before} is {name}.",
        "the {kind} before {after} is {name}.",
        "the next {kind} after {before} is {name}.",
        "{name} comes after {before}.",
        "{name} comes before {after}.",
        "after {before} comes {name}.",
        "{before} comes just before {name}.",
        "{name} comes between {before} and {after}.",
        "first comes {before}, then {name}, then {after}.",
        "which {kind} comes after {before}? It is {name}.",
        "which {kind} comes before {after}? It is {name}.",
        "the {kind} that comes before {after} is {name}.",
        "the last {kind} before {after} is {name}.",
        "in the right order: {before}, {name}, {after}.",
    ), weight=200),
    Topic("kind before after name", neighbours("day", DAYS, ring=True), (
        "if today is {before}, tomorrow is {name}.",
        "if today is {after}, yesterday was {name}.",
        "yesterday was {before}, so today is {name}.",
        "today is {name}, so tomorrow is {after}.",
    ), weight=25),
    Topic("ordinal month", list(zip(ORDINALS, MONTHS, strict=True)), (
        "{month} is the {ordinal} month of the year.",
        "the {ordinal} month of the year is {month}.",
        "which month is the {ordinal}? It is {month}.",
    ), weight=20),
    Topic("event season", SEASON_EVENTS, (
        "{event} in {season}.",
        "in {season}, {event}.",
        "when it is {season}, {event}.",
        "I like {season} because {event}.",
    ), weight=25),
    Topic("event at time", DAY_TIMES, (
        "{event} {at} {time}.",
        "{at} {time}, {event}.",
        "every day, {event} {at} {time}.",
        "as always, {event} {at} {time}.",
    ), weight=20),
    Topic("holiday month", HOLIDAYS, (
        "{holiday} is in {month}.",
        "{month} is the month of {holiday}.",
        "every year, {holiday} comes in {month}.",
        "in {month} we think of {holiday}.",
    ), weight=8),
    Topic("begin end", NATURE, ("{begin} {end}.",), weight=35),
)


def sums() -> list[tuple[str, ...]]:
    """Rows (one, other, sum) of the numbers up to ten, in words."""
    ten = range(1, 11)
    return [(NUMBERS[a], NUMBERS[b], NUMBERS[a + b]) for a in ten for b in ten]


def doubles() -> list[tuple[str, ...]]:
    """Rows (number, twice the number), in words."""
    return [(NUMBERS[number], NUMBERS[2 * number]) for number in range(1, 11)]


SUM_TOPICS = (
    Topic("one other sum", sums(), (
        "{one} plus {other} is {sum}.",
        "{one} plus {other} equals {sum}.",
        "{one} and {other} make {sum}.",
        "the sum of {one} and {other} is {sum}.",
        "what is {one} plus {other}? It is {sum}.",
        "if you add {one} and {other}, you get {sum}.",
        "{one} plus {other} gives {sum}.",
        "count {one} and then {other} more: that is {sum}.",
    ), weight=220),
    Topic("part whole rest", pick(sums(), 0, 2, 1), (
        "{whole} minus {part} is {rest}.",
        "{whole} minus {part} equals {rest}.",
        "what is {whole} minus {part}? It is {rest}.",
        "if you take {part} from {whole}, you get {rest}.",
    ), weight=150),
    Topic("number double", doubles(), (
        "twice {number} is {double}.",
        "two times {number} is {double}.",
        "half of {double} is {number}.",
        "the double of {number} is {double}.",
    ), weight=20),
)

PEOPLE_TOPICS = (
    Topic("person she her him at place verb thing", people_with(OUTINGS), (
        "{person} goes to the {place} because {she} wants to {verb} {thing}.",
        "{person} wants to {verb} {thing}, so {she} goes to the {place}.",
        "{person} is {at} the {place}. {she:cap} is {verb:doing} {thing}.",
        "where is {person}? {she:cap} is {at} the {place}.",
        "{at} the {place}, {person} likes to {verb} {thing}.",
        "when {person} is {at} the {place}, {she} likes to {verb} {thing}.",
        "{person} and {her} friend often {verb} {thing} {at} the {place}.",
        "{person} asks {her} mother to come to the {place} with {him}.",
    ), weight=140),
    Topic("person she her him feeling does then", people_with(FEELINGS), (
        "{person} is {feeling}, so {she} {does} {then}.",
        "{person} {does} {then} because {she} is {feeling}.",
        "when {she} is {feeling}, {person} {does} {then}.",
        "{person} is very {feeling}. {she:cap} {does} {then}.",
    ), weight=60),
    Topic("person she her him belonging", people_with(BELONGINGS), (
        "{person} has lost {her} {belonging}, and now {she} is looking for it.",
        "{person} is happy because {she} has found {her} {belonging}.",
        "this {belonging} belongs to {person}. I gave it to {him}.",
        "{person} says that {she} has left {her} {belonging} at home.",
        "we give {person} this {belonging} because {she} needs it.",
    ), weight=60),
    Topic("person she her him capital language", people_with(pick(COUNTRIES, 1, 3)), (
        "{person} lives in {capital}, so {she} speaks {language}.",
        "{person} lives in {capital}. {she:cap} speaks {language}.",
        "{person} learns {language} because {she} wants to live in {capital}.",
    ), weight=50),
    Topic("person she her him country capital", people_with(pick(COUNTRIES, 0, 1)), (
        "{person} travels to {country} because {she} wants to see {capital}.",
        "{person} comes from {country}. {she:cap} was born in {capital}.",
        "{person} is in {capital}, the capital of {country}, with {her} friends.",
    ), weight=50),
    Topic("place verb thing job", pick(JOBS, 3, 1, 2, 0), (
        "{job:a} works in the {place}.",
        "the {job} {verb:does} {thing}.",
        "in the {place}, the {job} {verb:does} {thing}.",
        "the work of {job:a} is to {verb} {thing}.",
        "{job:a} is a person who {verb:does} {thing}.",
        "the {job} goes to the {place} to {verb} {thing}.",
    ), weight=35),
    Topic("verb part", SENSES, (
        "we {verb} with our {part}.",
        "people use their {part} to {verb}.",
        "with your {part} you can {verb}.",
        "you need your {part} to {verb}.",
        "I {verb} with my {part}.",
    ), weight=20),
)
TOPICS = (*COUNTRY_TOPICS, *ANIMAL_TOPICS, *THING_TOPICS, *WORD_TOPICS, *ORDER_TOPICS,
          *SUM_TOPICS, *PEOPLE_TOPICS)

OPENERS = (
    "everyone knows that", "we learn at school that", "the teacher says that",
    "it is true that", "I know that", "my mother says that", "of course,", "yes,",
    "you can read in this book that", "my friend told me that", "remember that",
)

# --- generator ------------------------------------------------------------------------


class Statement(NamedTuple):
    """A text of one or two sentences, and the word in it that carries the fact."""

    text: str
    fact_word: str


def draw_topic(rng: random.Random) -> Topic:
    """Choose a topic, the larger ones more often."""
    weights = [topic.weight or len(topic.rows) for topic in TOPICS]
    return rng.choices(TOPICS, weights)[0]


def is_plain(text: str) -> bool:
    """Whether the text is one plain sentence, which may stand inside a longer one."""
    return text.endswith(".") and not re.search(r"[.?!:] ", text)


def draw_statement(rng: random.Random) -> Statement:
    """One fact alone, after an opener, or together with a second fact."""
    topic = draw_topic(rng)
    text, fact_word = topic.say(rng)
    shape = rng.random()
    if shape < 0.15 and is_plain(text):
        text = f"{rng.choice(OPENERS)} {text}"
    elif shape < 0.40:
        # Half of the pairs share a topic: the reader must look at the right subject.
        other = topic if rng.random() < 0.5 else draw_topic(rng)
        more, fact_word = other.say(rng)
        if shape < 0.25 and is_plain(text):
            link = rng.choice(("and", "while"))
            text = f"{text[:-1]}, {link} {more}"
        else:
            text = f"{text} {capitalised(more)}"
    return Statement(capitalised(text), fact_word)


def statements(seed: int, n: int) -> Iterator[Statement]:
    """The first n statements that this seed tells; the same ones every time."""
    rng = random.Random(seed)
    for _ in range(n):
        yield draw_statement(rng)


def sentences(seed: int, n: int) -> Iterator[str]:
    """The texts of the first n statements."""
    return (statement.text for statement in statements(seed, n))


def fact_words() -> set[str]:
    """Every single word that stands in a table, in lower case: possible answers."""
    cells = {cell for topic in TOPICS for row in topic.rows for cell in row}
    return {cell.lower() for cell in cells if cell.isalpha()}


def main() -> None:
    """Print some sentences."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=10)
    options = parser.parse_args()
    for sentence in sentences(options.seed, options.count):
        print(sentence)


if __name__ == "__main__":
    main()
