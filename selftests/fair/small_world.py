# SPDX-License-Identifier: GPL-2.0-only
"""A world of some sixty accounts, one or a few of each kind: a day of it takes seconds."""
import world

DAYS = ("plain", "listed")
GREYLISTING = world.GREYLISTING
POPULATION = world.population(
    innocent="small 10, office 2, wordpress 5, shop 2, newsletter 2, newsletter_old 1, invoices 1, cron_dead 2,"
             "alerts_full 1, typo 2, form_notify 2, forwarder 2, mailing_list 1, no_spf 2, greylisted 2,"
             "one_receiver 1, inflated 1",
    abused="autoresponder 1, form_copy 1",
    spam="dict40 1, oldlist60 1, drip 1, harvest 1, snowshoe 2, deferred 1",
    evader="oldlist30 1")


def make(directory, seed, day, mta, greylisting):
    return world.make(directory, seed, day, mta, greylisting, POPULATION)
