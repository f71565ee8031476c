from dgmbench.leaderboards.page.modes_plot import modes_plot


def test_a_mode_stays_found_and_names_do_not_touch():
    drawn = modes_plot({"a": [(0, 0), (10, 1), (100, 2)], "b": [(0, 0), (10, 2), (100, 2)]})
    assert drawn.count('class="line') == 2
    assert ">a</text>" in drawn and ">b</text>" in drawn
    places = [float(part.split('y="')[1].split('"')[0]) for part in drawn.split("<text")[-2:]]
    assert abs(places[0] - places[1]) >= 13
    assert "states whose reward" in drawn


def test_without_visits_there_is_no_plot():
    assert modes_plot({}) == "" and modes_plot({"a": [(0, 0)]}) == ""
