"""All facts of the tiny world, in tables.

The embedded models learn from this world and from nothing else, so all the facts that
they can know are on this page.
"""

import re


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
