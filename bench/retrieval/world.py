"""The invented islands of Velmar: what their towns, ships, bridges, inns, mines and festivals are
like, as templates. Written by hand for the retrieval set; nothing in it is true of any real place.

A fact is (statements, direct question, questions in other words, value). A statement uses {name} and
{v}; its direct question uses its words, the others avoid them. A kind has three groups of two facts:
one passage each."""

FIRST = ("Tolmouth Karrow Velhaven Ostrim Brackley Sundmar Quillon Dorrin Merrow Halsk Ivenna Pellorn "
         "Strand Vashti Corvin Elmsea Farrow Gildmoor Harn Ismere Jorvale Kelder Lunsk Morwick Nethrow "
         "Orlan Pryde Rathby Selwyn Thorne Umbry Wendle Yarrow Zellin Ashgar Borrow").split()
PEOPLE = ("Ansa Tollen,Berit Vask,Corin Halloway,Dagny Merle,Edric Pohl,Fenna Strand,Garrick Osse,"
          "Hilde Marrow,Ivo Lantern,Jessa Quill,Kaspar Rund,Linnea Thorsby,Matteo Brine,Nessa Holm,"
          "Orrin Falk,Petra Wend,Quentin Sorrel,Runa Askel,Silas Greave,Tamsin Vole,Ulric Benn,"
          "Vera Castellan,Wystan Moor,Ylva Krantz,Zeno Pellworm,Alma Fisk,Bram Ottery,Celia Nord"
          ).split(",")
COLOURS = "Grey White Black Silver Golden Crimson Amber Blue Pale Copper".split()
BEASTS = "Heron Otter Petrel Fox Gull Lynx Marten Swan Osprey Seal Badger Curlew".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday".split()
STONES = "granite,slate,basalt,limestone,yellow brick,sandstone,red larch,black oak".split(",")


def number(low, high):
    """A value: a number in that range."""
    return lambda rng: f"{rng.randint(low, high)}"


def big(low, high):
    """The same with a comma for thousands."""
    return lambda rng: f"{rng.randint(low, high):,}"


def one_of(*values):
    """A value: one of these."""
    return lambda rng: rng.choice(values)


def person(rng):
    return rng.choice(PEOPLE)


TRADES = one_of("dried cod", "rope and sailcloth", "blue glass", "sea salt", "lamp oil", "oak barrels",
                "woollen blankets", "clay pipes", "smoked eel", "amber beads", "church bells")
DISHES = one_of("eel pie with mustard", "barley soup with leeks", "goat cheese dumplings",
                "smoked trout on rye", "pickled herring with apple", "mutton stew with plums",
                "chestnut pancakes", "crab in cider")
ORES = one_of("tin", "cobalt", "silver", "copper", "zinc", "iron", "antimony")
PRIZES = one_of("a carved oar", "a white ram", "a barrel of cider", "a silver thimble",
                "a year free of tolls", "a velvet cloak", "two geese and a loaf")
CARGO = one_of("timber", "oranges", "wool", "millstones", "letters and parcels", "hops", "copper wire")
SAINTS = one_of("the drowned sailors", "the first beekeepers", "the blind astronomer",
                "the seven bell founders", "the weaver Odile", "the winter bread")

KINDS = {
    "town": {
        "names": lambda rng: rng.choice(FIRST) + rng.choice(" Bay, Cross, Ferry, Hill,".split(",")),
        "siblings": ("Upper {}", "Lower {}"),
        "facts": [
            [(["{name} was founded in {v} by settlers who came over the ice.",
               "The town of {name} was founded in the year {v}."],
              "In which year was {name} founded?",
              ["When did people first come to live at {name}?", "How old is the settlement {name}?"],
              number(1102, 1799)),
             (["According to the last census {name} has {v} inhabitants.",
               "The census counted {v} inhabitants in {name}."],
              "How many inhabitants does {name} have?",
              ["What is the size of the population of {name}?", "How many people live in {name}?"],
              big(310, 24000))],
            [(["The main trade of {name} is {v}.", "{name} has lived from one trade for long: {v}."],
              "What is the main trade of {name}?",
              ["How do most folk in {name} earn their bread?", "Which goods is {name} known to produce?"],
              TRADES),
             (["The market of {name} is held every {v} below the clock tower.",
               "Every {v} the market of {name} is held on the quay."],
              "On which day is the market of {name} held?",
              ["When can one buy vegetables from the stalls in {name}?",
               "What weekday do the traders of {name} set up their booths?"], one_of(*DAYS))],
            [(["The present governor of {name} is {v}.", "{v} is governor of {name} since the spring."],
              "Who is the governor of {name}?",
              ["Who rules over {name} these days?", "Which person is in charge at {name}?"], person),
             (["A flood destroyed {v} houses in the low quarter of {name}.",
               "When the flood came to {name} it destroyed {v} houses."],
              "How many houses did the flood destroy in {name}?",
              ["How many homes were lost to high water at {name}?"], number(11, 480))]],
        "colour": [
            "The streets climb from the water in narrow steps, and goats are driven through them at dusk.",
            "Travellers from {other} find the bread here too dark and the beer too thin.",
            "A lantern burns in the tower all night, which the children believe keeps the fog away.",
            "The school has two rooms and a stove that {someone} paid for.",
            "Nobody remembers who planted the row of poplars along the northern wall.",
            "Its fishermen quarrel with those of {other} about nets, and have done so for generations.",
            "In winter the lake behind the church freezes, and the baker delivers his loaves by sledge.",
            "The council meets in a room above the smithy, where the noise shortens every speech.",
            "Two wells give sweet water; the third tastes of iron and is left to the horses.",
            "{someone} wrote a long poem about the place, which few have read to its end."]},
    "ship": {
        "names": lambda rng: "the " + rng.choice(COLOURS) + " " + rng.choice(BEASTS),
        "siblings": ("{} of the East", "{} of the West"),
        "facts": [
            [(["The yard launched {name} in {v} after two cold years of work.",
               "In {v} {name} was launched with flags and a brass band."],
              "When was {name} launched?",
              ["In what year did {name} first touch the water?"], number(1801, 1929)),
             (["The hull of {name} is {v} feet long.", "{name} measures {v} feet in length."],
              "How many feet long is {name}?",
              ["What is the size of {name} from bow to stern?"], number(48, 310))],
            [(["The captain of {name} is {v}, who never raises his voice.",
               "Her captain is {v}; nobody else has ever steered {name} into harbour."],
              "Who is the captain of {name}?",
              ["Who commands the vessel called {name}?", "Who is the master of {name}?"], person),
             (["A crew of {v} sails {name} in summer.", "In summer {name} carries a crew of {v}."],
              "How large is the crew of {name}?",
              ["How many sailors work on board {name}?", "How many hands does {name} employ?"],
              number(4, 90))],
            [(["{name} carries {v} to the outer islands.", "Mostly {v} is the cargo of {name}."],
              "What cargo does {name} carry?",
              ["What goods does one find in the hold of {name}?", "Which freight is shipped by {name}?"],
              CARGO),
             (["In a gale {name} lost her mast off Cape {v}.", "{name} lost a mast in the gale off Cape {v}."],
              "Off which cape did {name} lose her mast?",
              ["Where did a storm break the spar of {name}?"], one_of(*FIRST))]],
        "colour": [
            "Her figurehead is a laughing woman with a chipped nose.",
            "The cook keeps a cat that is said to have crossed the strait more often than the mate.",
            "She leaks a little at the stern, which the carpenter calls breathing.",
            "Passengers who came aboard at {other} praise the soup and complain about the bunks.",
            "The bell was cast for a chapel that was never built.",
            "Old {someone} still tells how the anchor was dropped on a sleeping whale.",
            "Her sails were dyed with bark, so that they look like rust from afar.",
            "On calm days the crew mends nets and plays a card game that strangers cannot follow.",
            "In the log a steady hand notes the wind, the depth and the price of onions.",
            "When she passes {other} the children run along the mole and wave."]},
    "bridge": {
        "names": lambda rng: rng.choice(FIRST) + rng.choice([" Bridge", " Crossing", " Viaduct"]),
        "siblings": ("North {}", "South {}"),
        "facts": [
            [(["{name} was built of {v}.", "Its builders made {name} of {v} throughout."],
              "Of what was {name} built?",
              ["Which material does {name} consist of?"], one_of(*STONES)),
             (["{name} rests on {v} arches.", "There are {v} arches under {name}."],
              "How many arches has {name}?",
              ["How many spans carry the road at {name}?"], number(2, 31))],
            [(["A cart pays a toll of {v} pennies at {name}.", "The toll at {name} is {v} pennies for a cart."],
              "What is the toll for a cart at {name}?",
              ["How much must a wagon pay to get across {name}?",
               "What does it cost to drive over {name}?"], number(2, 60)),
             (["The keeper of {name} is {v}.", "{v} is the keeper of {name} and sleeps in the gatehouse."],
              "Who is the keeper of {name}?",
              ["Who looks after {name}?", "Which person guards {name}?"], person)],
            [(["{name} was closed for repairs in {v}.", "Repairs closed {name} in the year {v}."],
              "When was {name} closed for repairs?",
              ["In what year could nobody pass {name} because masons were mending it?"],
              number(1850, 1939)),
             (["{name} was designed by {v}.", "{v} designed {name} on the back of a bill."],
              "Who designed {name}?",
              ["Who was the architect of {name}?", "Who drew the plans of {name}?"], person)]],
        "colour": [
            "Swallows nest below the parapet, and nobody may disturb them before August.",
            "At its middle a brass line marks where one parish ends and the other begins.",
            "The river runs fast here and brings down whole trees after the thaw.",
            "Carters from {other} tie bells to their horses before they come near.",
            "A stone dog sits at the eastern end; its ears are worn smooth by hands.",
            "By night one hears the water long before one sees the railing.",
            "{someone} is said to have won it in a game of dice and given it back the next morning.",
            "Poplars shade the ramp, where women from {other} sell cherries in June.",
            "The lamps are lit with a pole that is longer than the gatehouse is high.",
            "Under the last pier there is a boat that belongs to nobody."]},
    "inn": {
        "names": lambda rng: "the " + rng.choice(BEASTS) + " and " + rng.choice(
            "Anchor Barrel Candle Drum Fiddle Key Ladder Moon Pitcher Spade Wheel Crown".split()),
        "siblings": ("Old {}", "New {}"),
        "facts": [
            [(["The innkeeper of {name} is {v}.", "{v} is the innkeeper of {name}."],
              "Who is the innkeeper of {name}?",
              ["Who runs {name}?", "Who is the landlord at {name}?"], person),
             (["{name} has {v} rooms under a roof of turf.", "Guests of {name} share {v} rooms."],
              "How many rooms has {name}?",
              ["How many chambers can be rented at {name}?"], number(3, 44))],
            [(["The kitchen of {name} is famous for {v}.", "People walk for miles to {name}, famous for {v}."],
              "For what dish is {name} famous?",
              ["What should a hungry visitor order at {name}?", "Which meal is {name} best known for?"],
              DISHES),
             (["A night at {name} costs {v} shillings with breakfast.", "{name} asks {v} shillings a night."],
              "What does a night at {name} cost?",
              ["What is the price of a bed at {name}?", "How much do lodgings at {name} come to?"],
              number(3, 75))],
            [(["{name} burned down in {v} and was rebuilt within the year.",
               "In {v} {name} burned down to its cellar."],
              "When did {name} burn down?",
              ["In what year did fire ruin {name}?"], number(1710, 1930)),
             (["The ghost of {v} is said to haunt {name}.", "They say that {v} still haunts {name} as a ghost."],
              "Whose ghost haunts {name}?",
              ["Which dead person is seen at midnight in {name}?"], person)]],
        "colour": [
            "The floor slopes toward the sea, so that dropped coins always roll the same way.",
            "A stuffed pike hangs over the hearth and wears a hat on holidays.",
            "Songs are allowed until ten, arguments until eleven.",
            "The sign was painted by {someone} in exchange for a winter's lodging.",
            "Coachmen from {other} leave their boots on the stairs, where others fall over them.",
            "The beer is brewed in the yard with water from a spring behind the stable.",
            "A table by the window is kept free for a guest who has not come for twenty years.",
            "One can see the lights of {other} from the attic when the air is clear.",
            "The dog answers to three names and obeys none.",
            "On the wall hangs a map on which somebody has crossed out half of the islands."]},
    "mine": {
        "names": lambda rng: rng.choice(FIRST) + rng.choice([" Deep", " Pit", " Diggings"]),
        "siblings": ("{} Number Four", "{} Number Seven"),
        "facts": [
            [(["{name} yields {v} of good quality.", "The ore of {name} is {v}."],
              "Which ore does {name} yield?",
              ["What metal is dug out of the ground at {name}?"], ORES),
             (["The shaft of {name} is {v} fathoms deep.", "{name} has a shaft {v} fathoms deep."],
              "How many fathoms deep is the shaft of {name}?",
              ["How far down do the ladders go at {name}?"], number(20, 400))],
            [(["{v} miners work at {name} in three shifts.", "{name} employs {v} miners."],
              "How many miners work at {name}?",
              ["How large is the workforce of {name}?"], big(25, 1900)),
             (["The owner of {name} is {v}, who lives abroad.", "{name} has an owner who is seldom seen: {v}."],
              "Who is the owner of {name}?",
              ["To whom does {name} belong?", "Who possesses {name}?"], person)],
            [(["Water broke into {name} in {v}.", "In {v} water broke into the lowest gallery of {name}."],
              "When did water break into {name}?",
              ["In what year was {name} flooded?"], number(1790, 1935)),
             (["The pumps of {name} were built by {v}.", "{v} built the pumps of {name}."],
              "Who built the pumps of {name}?",
              ["Which engineer keeps the galleries of {name} dry?"], person)]],
        "colour": [
            "The spoil heaps have grown into hills on which birches stand.",
            "Ponies that were born below the ground are led up once a year to see the sky.",
            "Men from {other} are hired in spring and leave before the first snow.",
            "A chapel was hewn into the rock at the second level; it holds nine people.",
            "The whistle can be heard as far as {other} when the wind is right.",
            "Boys sort the stones on a long table and are paid by the bucket.",
            "{someone} kept a diary of the dust, with a drawing for every week.",
            "The road down to the harbour is lined with crosses and with raspberry bushes.",
            "Candles are counted at the gate, and whoever brings none back pays for it.",
            "In the changing room a choir meets on the first evening of each month."]},
    "festival": {
        "names": lambda rng: "the " + rng.choice(FIRST) + rng.choice(
            [" Lantern Feast", " Regatta", " Wool Fair", " Bell Night"]),
        "siblings": ("Little {}", "Great {}"),
        "facts": [
            [(["{name} lasts {v} days.", "For {v} days {name} lasts, whatever the weather."],
              "How many days does {name} last?",
              ["What is the duration of {name}?"], number(2, 16)),
             (["{name} honours {v}.", "With {name} the islanders honour {v}."],
              "Whom or what does {name} honour?",
              ["In memory of what is {name} celebrated?"], SAINTS)],
            [(["The winner of {name} receives {v}.", "Whoever is winner of {name} receives {v}."],
              "What does the winner of {name} receive?",
              ["Which prize is given to the champion of {name}?"], PRIZES),
             (["{v} visitors came to {name} last year.", "Last year {name} drew {v} visitors."],
              "How many visitors came to {name} last year?",
              ["How many guests attended the latest {name}?"], big(120, 19000))],
            [(["{name} was first held in {v}.", "They held {name} first in {v}."],
              "When was {name} first held?",
              ["In what year did the tradition of {name} begin?"], number(1340, 1920)),
             (["The organiser of {name} is {v}.", "{v} is the organiser of {name}."],
              "Who is the organiser of {name}?",
              ["Who arranges {name} nowadays?"], person)]],
        "colour": [
            "Paper boats with candles are set on the water, and the last one afloat brings luck.",
            "Drummers walk from door to door and are given plum brandy.",
            "The bakers of {other} send a loaf as long as a door.",
            "At noon all clocks are stopped, and only the innkeepers know the time.",
            "Children paint their faces with soot and may scold the mayor for an hour.",
            "A fiddler from {other} plays on a stilt and has fallen only once.",
            "{someone} once set the haystack alight and has not been invited since.",
            "The streets are strewn with reeds, which are swept into the sea on the morrow.",
            "No letters are delivered as long as the flags are out.",
            "When it rains the dancing moves into the rope walk, which is two hundred yards long."]},
}

# What nothing in the set answers: facts that no passage gives of what is there, and other subjects.
MISSING = {
    "town": ["What is the postal code of {name}?", "Which football club plays in {name}?",
             "What does a bus ticket cost in {name}?", "Who painted the altar of {name}?"],
    "ship": ["What is the radio call sign of {name}?", "Which insurance company covers {name}?",
             "What is the top speed of {name} in knots?"],
    "bridge": ["What is the maximum load of {name} in tonnes?", "Which colour is the paint of {name}?",
               "How many bicycles use {name} daily?"],
    "inn": ["Does {name} accept credit cards?", "What is the telephone number of {name}?",
            "What is the wireless password at {name}?"],
    "mine": ["What was the annual profit of {name}?", "Which trade union represents {name}?",
             "What is the temperature in {name}?"],
    "festival": ["Which television channel broadcasts {name}?", "Where can one buy tickets for {name} online?",
                 "Who sponsors {name}?"],
}
OUTSIDE = [
    "What is the boiling point of tungsten?", "How does photosynthesis store energy?",
    "Which planet has the largest moon?", "How is a linked list reversed?",
    "Who proved the incompleteness theorems?", "What is the chemical formula of caffeine?",
    "How many bones are in a human hand?", "Which vitamin prevents scurvy?",
    "What causes a solar eclipse?", "How does a transistor amplify a signal?",
    "What is the derivative of a logarithm?", "Which enzyme digests starch?",
    "How do vaccines train the immune system?", "What is the speed of light in a vacuum?",
    "Which algorithm sorts in place?", "How far is the nearest galaxy?",
    "What does a spark plug do?", "Which acid is in vinegar?",
    "How are rainbows formed?", "What is compound interest?"]
NOWHERE = "Xandrel Brumvik Ottenfurt Lysgard Prunewell Wexcombe Dunmarsh Kolvara Hespertine Grindle".split()
