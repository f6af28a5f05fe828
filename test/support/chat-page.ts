import type { BrowserContext, Locator, Page } from 'playwright-core'

/** The page of the demo in a tab, in the words of who uses it. */
export class ChatPage {
  readonly tab: Page

  private constructor(tab: Page) {
    this.tab = tab
  }

  static async open(context: BrowserContext, url: string): Promise<ChatPage> {
    const tab = await context.newPage()
    await tab.goto(url)
    return new ChatPage(tab)
  }

  /** A tab that the page itself has opened. */
  static of(tab: Page): ChatPage {
    return new ChatPage(tab)
  }

  async join(room: string, name: string): Promise<void> {
    const opener = this.tab.locator('#people')
    if (await opener.isVisible()) await opener.click()
    await this.tab.locator('#name').fill(name)
    await this.tab.locator('#room').fill(room)
    await this.tab.getByRole('button', { name: 'Join' }).click()
    await this.note(`You are ${name} in ${room}`).waitFor()
  }

  async say(text: string): Promise<void> {
    await this.tab.locator('#text').fill(text)
    await this.tab.locator('#text').press('Enter')
  }

  /** What somebody else said. */
  said(text: string): Locator {
    return this.tab.locator('.theirs p').getByText(text, { exact: true })
  }

  /** What was said here. */
  saidMyself(text: string): Locator {
    return this.tab.locator('.mine p').getByText(text, { exact: true })
  }

  note(text: string): Locator {
    return this.tab.locator('.note').getByText(text, { exact: true })
  }

  state(state: 'connecting' | 'open' | 'waiting'): Locator {
    return this.tab.locator(`#state[data-state=${state}]`)
  }

  get invitation(): Locator {
    return this.tab.locator('#invitation')
  }

  /** Who is here, the user of this tab first. */
  get members(): Promise<string[]> {
    return this.tab.locator('#members .name').allTextContents()
  }
}
